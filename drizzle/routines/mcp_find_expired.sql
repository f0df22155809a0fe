-- Finds the sessions of a batch of which some could not be deleted, for mcp_delete_sessions. Leaves out what
-- mcp_cleanup_blocked lists, and what somebody else has locked.
CREATE OR REPLACE FUNCTION mcp_find_expired(
  -- The first expiry time, and the conditions of a run: mcp_cleanup_sessions.
  p_from timestamptz,
  p_expired_before timestamptz,
  p_cutoff timestamptz,
  p_ended_before timestamptz,
  p_limit integer,
  -- The place in the table, the second row excluded. NULL: anywhere.
  p_from_row tid,
  p_to_row tid
)
RETURNS text[]
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
BEGIN
  IF p_from_row IS NULL THEN
    RETURN ARRAY(
      SELECT s.session_id FROM ONLY mcp_sessions s
       WHERE s.expires_at >= p_from AND s.expires_at < p_expired_before AND s.expires_at <= p_cutoff
         AND (s.ended_at IS NULL OR s.ended_at < p_ended_before OR s.ended_at > clock_timestamp())
         AND NOT EXISTS (SELECT FROM mcp_cleanup_blocked b WHERE b.session_id = s.session_id)
       ORDER BY s.expires_at
       LIMIT p_limit
         FOR UPDATE OF s SKIP LOCKED);
  END IF;
  -- A range of rows reads these pages alone. IS TRUE keeps the planner from the index of expiry times.
  RETURN ARRAY(
    SELECT s.session_id FROM ONLY mcp_sessions s
     WHERE s.ctid >= p_from_row AND s.ctid < p_to_row
       AND (s.expires_at >= p_from AND s.expires_at < p_expired_before AND s.expires_at <= p_cutoff) IS TRUE
       AND (s.ended_at IS NULL OR s.ended_at < p_ended_before OR s.ended_at > clock_timestamp())
       AND NOT EXISTS (SELECT FROM mcp_cleanup_blocked b WHERE b.session_id = s.session_id)
       FOR UPDATE OF s SKIP LOCKED);
END
$$;
