-- One batch of a cleanup run: deletes tasks that have expired, up to a number. Returns how many.
CREATE OR REPLACE FUNCTION mcp_sweep_tasks(p_run_id bigint, p_limit integer)
RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
  tasks bigint;
BEGIN
  -- The lease of the run, as in mcp_delete_in_batches.
  UPDATE mcp_cleanup_runs r SET renewed_at = clock_timestamp() WHERE r.run_id = p_run_id AND r.outcome = 'running';
  IF NOT FOUND THEN RETURN 0; END IF;
  -- A locked row is in use.
  DELETE FROM mcp_tasks WHERE task_hash = ANY (ARRAY(
    SELECT t.task_hash FROM mcp_tasks t WHERE t.expires_at <= now()
     ORDER BY t.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS tasks = ROW_COUNT;
  RETURN mcp_add_to_total('tasks_expired', tasks);
END
$$;
