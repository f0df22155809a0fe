-- Merges up to p_limit rows of mcp_session_changes into one. Skips rows that another transaction is merging. Runs with the
-- rights of its owner, for the roles that may use sessions and may not write this table.
CREATE OR REPLACE FUNCTION mcp_merge_session_changes(p_limit bigint DEFAULT 100000)
RETURNS void
LANGUAGE sql
SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
  WITH merged AS (
    DELETE FROM mcp_session_changes
     WHERE ctid = ANY (ARRAY(
       SELECT ctid FROM mcp_session_changes WHERE transaction_id <> pg_current_xact_id()::text::bigint
        LIMIT p_limit FOR UPDATE SKIP LOCKED))
    RETURNING change
  )
  INSERT INTO mcp_session_changes AS c (transaction_id, change)
  SELECT pg_current_xact_id()::text::bigint, sum(change) FROM merged HAVING count(*) > 0
  ON CONFLICT (transaction_id) DO UPDATE SET change = c.change + excluded.change
$$;
