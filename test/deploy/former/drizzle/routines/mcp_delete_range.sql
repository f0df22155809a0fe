-- Deletes the sessions that expired from one time to another, both included, and returns how many. Stops at a time: what
-- it reads after that stays.
CREATE OR REPLACE FUNCTION mcp_delete_range(
  p_from timestamptz,
  p_to timestamptz,
  p_stop_at timestamptz,
  -- Whether to leave out what mcp_cleanup_blocked lists.
  p_leaves_out boolean
)
RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
#variable_conflict use_variable
DECLARE
  deleted bigint;
BEGIN
  DELETE FROM ONLY mcp_sessions s
   WHERE s.expires_at >= p_from AND s.expires_at <= p_to AND clock_timestamp() < p_stop_at
     AND (NOT p_leaves_out OR NOT EXISTS (SELECT FROM mcp_cleanup_blocked b WHERE b.session_id = s.session_id));
  GET DIAGNOSTICS deleted = ROW_COUNT;
  RETURN deleted;
END
$$;
