-- Rows of the totals for each hour. The key stays: a statement that waits for this lock with the former text of
-- mcp_add_to_total must find its ON CONFLICT afterwards.
ALTER TABLE mcp_session_totals ALTER COLUMN shard TYPE integer;
