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
       SELECT ctid FROM mcp_session_changes WHERE delete_depth = 0 LIMIT p_limit FOR UPDATE SKIP LOCKED))
    RETURNING transaction_id, change_number, change
  )
  INSERT INTO mcp_session_changes (transaction_id, change_number, change)
  SELECT pg_current_xact_id()::text::bigint,
         coalesce(max(change_number) FILTER (WHERE transaction_id = pg_current_xact_id()::text::bigint), 0) + 1, sum(change)
    FROM merged HAVING count(*) > 0
  ON CONFLICT (transaction_id, change_number) DO UPDATE SET change = mcp_session_changes.change + excluded.change
$$;
