-- Sets the number of sessions to zero.
CREATE OR REPLACE TRIGGER mcp_count_truncated AFTER TRUNCATE ON mcp_sessions
  FOR EACH STATEMENT EXECUTE FUNCTION mcp_count_session_rows();
