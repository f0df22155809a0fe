-- Counts the sessions that a statement has inserted.
CREATE OR REPLACE TRIGGER mcp_count_inserted AFTER INSERT ON mcp_sessions
  REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION mcp_count_session_rows();
