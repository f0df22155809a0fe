-- Counts the sessions that a statement has deleted.
CREATE OR REPLACE TRIGGER mcp_count_deleted AFTER DELETE ON mcp_sessions
  FOR EACH STATEMENT EXECUTE FUNCTION mcp_count_session_rows();
