-- Ends a task that has not ended, and counts it. Nothing is kept of its call. Returns whether it has ended it.
CREATE OR REPLACE FUNCTION mcp_end_task(
  p_task_hash text,
  -- `completed`, `cancelled` or `failed`.
  p_status text,
  -- The result, or the error, as JSON text.
  p_result text,
  -- For people. NULL: none.
  p_status_message text DEFAULT NULL
)
RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
  UPDATE mcp_tasks t
     SET status = p_status, result = p_result, status_message = p_status_message,
         call = NULL, input_requests = NULL, input_keys = NULL, input_responses = NULL, request_state = NULL,
         -- The lease stays: who repeats a request is known by it.
         leased_until = NULL, version = t.version + 1, updated_at = clock_timestamp()
   WHERE t.task_hash = p_task_hash AND t.status IN ('working', 'input_required');
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM mcp_add_to_total('tasks_ended/' || p_status, 1);
  RETURN true;
END
$$;
