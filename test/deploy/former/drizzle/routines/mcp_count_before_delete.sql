-- Remembers how many rows the transaction has deleted so far. mcp_count_deleted subtracts that afterwards.
CREATE OR REPLACE TRIGGER mcp_count_before_delete BEFORE DELETE ON mcp_sessions
  FOR EACH STATEMENT EXECUTE FUNCTION mcp_count_session_rows();
