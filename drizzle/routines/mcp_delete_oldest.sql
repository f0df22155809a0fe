-- Deletes the oldest expired sessions, and says how many it found and how many of them have gone.
--
-- It locks each row first. FOR UPDATE checks the latest version of a row, so a session that was extended meanwhile stays.
-- SKIP LOCKED means that a run never waits for a row and never deadlocks. The DELETE is a plain statement: a rule of
-- another program forbids one in WITH, and one with RETURNING.
CREATE OR REPLACE FUNCTION mcp_delete_oldest(
  -- The first expiry time.
  p_from timestamptz,
  -- The conditions of a run: mcp_cleanup_sessions.
  p_expired_before timestamptz,
  p_cutoff timestamptz,
  p_ended_before timestamptz,
  p_limit integer,
  -- Whether to leave out what mcp_cleanup_blocked lists.
  p_leaves_out boolean,
  -- Whether a session may be kept although its deletion succeeds: mcp_may_be_kept. Then each is looked for.
  p_may_be_kept boolean,
  OUT found_rows bigint,
  OUT deleted bigint,
  -- Their expiry times, the finite ones.
  OUT first_expiry timestamptz,
  OUT last_expiry timestamptz,
  -- On how many pages they were, when there were as many as p_limit.
  OUT found_pages bigint
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  row_ids tid[];
  session_ids text[];
  kept bigint;
BEGIN
  SELECT count(*), min(v.expires_at) FILTER (WHERE isfinite(v.expires_at)), max(v.expires_at),
         coalesce(array_agg(v.row_id), '{}'), array_agg(v.session_id) FILTER (WHERE p_may_be_kept)
    INTO found_rows, first_expiry, last_expiry, row_ids, session_ids
    FROM (SELECT s.ctid AS row_id, s.session_id, s.expires_at
            FROM ONLY mcp_sessions s
           WHERE s.expires_at >= p_from AND s.expires_at < p_expired_before AND s.expires_at <= p_cutoff
             AND (s.ended_at IS NULL OR s.ended_at < p_ended_before OR s.ended_at > clock_timestamp())
             AND (NOT p_leaves_out OR NOT EXISTS (SELECT FROM mcp_cleanup_blocked b WHERE b.session_id = s.session_id))
           ORDER BY s.expires_at
           LIMIT p_limit
             FOR UPDATE SKIP LOCKED) AS v;
  DELETE FROM ONLY mcp_sessions s WHERE s.ctid = ANY (row_ids);
  GET DIAGNOSTICS deleted = ROW_COUNT;
  IF p_may_be_kept THEN
    -- Also by a trigger that is deferred.
    SET CONSTRAINTS ALL IMMEDIATE;
    SELECT count(*) INTO kept FROM ONLY mcp_sessions s
     WHERE s.session_id = ANY (session_ids) AND s.expires_at < p_expired_before;
    deleted := least(deleted, found_rows - kept);
  END IF;
  IF found_rows = p_limit THEN
    SELECT count(DISTINCT (v.row_id::text::point)[0]) INTO found_pages FROM unnest(row_ids) AS v (row_id);
  END IF;
END
$$;
