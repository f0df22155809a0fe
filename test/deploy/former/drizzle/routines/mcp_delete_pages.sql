-- Deletes the expired sessions between two places of the table, the second excluded, and returns how many.
CREATE OR REPLACE FUNCTION mcp_delete_pages(
  p_from tid,
  p_to tid,
  -- The latest expiry time.
  p_expired_by timestamptz,
  p_skips_locked boolean,
  -- Whether to leave out what mcp_cleanup_blocked lists.
  p_leaves_out boolean
)
RETURNS bigint
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  deleted bigint;
BEGIN
  -- IS TRUE keeps the planner from the index of expiry times.
  IF p_skips_locked THEN
    DELETE FROM ONLY mcp_sessions WHERE ctid = ANY (ARRAY(
      SELECT s.ctid FROM ONLY mcp_sessions s
       WHERE s.ctid >= p_from AND s.ctid < p_to AND (s.expires_at <= p_expired_by) IS TRUE
         AND (NOT p_leaves_out OR NOT EXISTS (SELECT FROM mcp_cleanup_blocked b WHERE b.session_id = s.session_id))
         FOR UPDATE SKIP LOCKED));
  ELSE
    DELETE FROM ONLY mcp_sessions s
     WHERE s.ctid >= p_from AND s.ctid < p_to AND (s.expires_at <= p_expired_by) IS TRUE
       AND (NOT p_leaves_out OR NOT EXISTS (SELECT FROM mcp_cleanup_blocked b WHERE b.session_id = s.session_id));
  END IF;
  GET DIAGNOSTICS deleted = ROW_COUNT;
  RETURN deleted;
END
$$;
