-- Each record of a cleanup run that is inserted or updated is added to the totals.
CREATE OR REPLACE TRIGGER mcp_count_run_written
  AFTER INSERT OR UPDATE OF outcome, deleted ON mcp_cleanup_runs
  FOR EACH ROW EXECUTE FUNCTION mcp_count_cleanup_run();
