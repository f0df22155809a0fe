-- Corrects the number of sessions after rows were inserted or deleted without triggers, for example with
-- session_replication_role = replica. Counts in one statement, so rows and changes are of one snapshot. Returns the error
-- that it corrected: positive when sessions were missing from the count.
CREATE OR REPLACE FUNCTION mcp_recount_sessions()
RETURNS bigint
LANGUAGE sql
AS $$
  SELECT pg_advisory_xact_lock(hashtext('mcp_recount_sessions'), 0);
  INSERT INTO mcp_session_changes (change)
  SELECT (SELECT count(*) FROM mcp_sessions) - (SELECT coalesce(sum(change), 0) FROM mcp_session_changes)
  RETURNING change
$$;
