-- Ends a cleanup run: completes its record, with what could not be deleted.
CREATE OR REPLACE FUNCTION mcp_end_cleanup_run(p_run_id bigint, p_outcome text, p_error_code text)
RETURNS void
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
BEGIN
  UPDATE mcp_cleanup_runs r
     SET outcome = p_outcome, error_code = p_error_code, finished_at = clock_timestamp(), (blocked, blocked_by) = (
           SELECT coalesce(sum(b.sessions), 0), string_agg(b.reason, ', ' ORDER BY b.sessions DESC, b.reason)
             FROM (SELECT l.reason, count(*) AS sessions FROM mcp_cleanup_blocked l GROUP BY l.reason) AS b)
   WHERE r.run_id = p_run_id AND r.outcome = 'running';
END
$$;
