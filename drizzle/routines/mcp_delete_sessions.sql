-- Deletes expired sessions one part after the other, after a batch with all of them has failed. A part that fails is halved.
-- A session that fails alone is listed in mcp_cleanup_blocked, and so is one that stays although its deletion succeeded. A
-- listed session that can be deleted, is gone, or is live again leaves the list. Skips rows that somebody else has locked.
CREATE OR REPLACE FUNCTION mcp_delete_sessions(
  p_session_ids text[],
  -- The conditions of a run: mcp_cleanup_sessions.
  p_expired_before timestamptz,
  p_cutoff timestamptz,
  p_ended_before timestamptz,
  -- When to stop, once at least one session is done.
  p_until timestamptz,
  -- How many of the sessions, from the first on, are done.
  OUT handled integer,
  OUT deleted bigint
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  part text[];
  part_size integer := cardinality(p_session_ids);
  row_ids tid[];
  found_ids text[];
  part_deleted bigint;
  kept text[];
  failure text;
  tried_now timestamptz;
BEGIN
  handled := 0;
  deleted := 0;
  WHILE handled < cardinality(p_session_ids) LOOP
    part := p_session_ids[handled + 1 : handled + part_size];
    failure := NULL;
    BEGIN
      SELECT coalesce(array_agg(v.row_id), '{}'), coalesce(array_agg(v.session_id), '{}') INTO row_ids, found_ids
        FROM (SELECT s.ctid AS row_id, s.session_id
                FROM ONLY mcp_sessions s
               WHERE s.session_id = ANY (part) AND s.expires_at < p_expired_before AND s.expires_at <= p_cutoff
                 AND (s.ended_at IS NULL OR s.ended_at < p_ended_before OR s.ended_at > clock_timestamp())
                 FOR UPDATE SKIP LOCKED) AS v;
      DELETE FROM ONLY mcp_sessions s WHERE s.ctid = ANY (row_ids);
      GET DIAGNOSTICS part_deleted = ROW_COUNT;
      -- Deferred constraints are checked here, where a failure concerns this part only.
      SET CONSTRAINTS ALL IMMEDIATE;
      kept := ARRAY(SELECT s.session_id FROM ONLY mcp_sessions s
                     WHERE s.session_id = ANY (found_ids) AND s.expires_at < p_expired_before);
      part_deleted := least(part_deleted, cardinality(found_ids) - cardinality(kept));
    EXCEPTION
      WHEN insufficient_resources OR operator_intervention OR system_error THEN RAISE;
      WHEN OTHERS OR assert_failure THEN failure := SQLSTATE;
    END;
    IF failure IS NOT NULL AND cardinality(part) > 1 THEN
      part_size := cardinality(part) / 2;
    ELSE
      IF failure IS NOT NULL THEN
        kept := part;
        part_deleted := 0;
      END IF;
      tried_now := clock_timestamp();
      INSERT INTO mcp_cleanup_blocked AS b (session_id, reason, tried_at)
      SELECT session_id, coalesce(failure, 'kept'), tried_now FROM unnest(kept) AS session_id
      ON CONFLICT (session_id) DO UPDATE SET reason = excluded.reason, tried_at = excluded.tried_at;
      DELETE FROM mcp_cleanup_blocked b
       WHERE b.session_id = ANY (part) AND b.tried_at < tried_now
         AND NOT EXISTS (SELECT FROM ONLY mcp_sessions s WHERE s.session_id = b.session_id AND s.expires_at < now());
      -- What is left is locked, or too young for this tier.
      UPDATE mcp_cleanup_blocked b SET tried_at = tried_now WHERE b.session_id = ANY (part) AND b.tried_at < tried_now;
      handled := handled + cardinality(part);
      deleted := deleted + part_deleted;
      -- After a failure the parts grow again.
      part_size := CASE WHEN failure IS NULL THEN 2 * part_size ELSE 1 END;
    END IF;
    EXIT WHEN handled > 0 AND clock_timestamp() >= p_until;
  END LOOP;
END
$$;
