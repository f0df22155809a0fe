-- Has a task wait for answers of its client. Only who has the lease does that. Returns whether it waits. Repeated with the same
-- claim it says the same.
CREATE OR REPLACE FUNCTION mcp_ask_task(
  p_task_hash text,
  p_claim text,
  -- A JSON object, as text: the questions by their keys.
  p_requests text,
  p_keys text[],
  p_request_state text
)
RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
  UPDATE mcp_tasks t
     SET status = 'input_required', input_requests = p_requests, input_keys = p_keys, request_state = p_request_state,
         -- Attempts are counted from the answers on.
         leased_until = NULL, attempt = 0, version = t.version + 1, updated_at = clock_timestamp()
   WHERE t.task_hash = p_task_hash AND t.lease = p_claim AND t.status = 'working';
  RETURN FOUND OR EXISTS (
    SELECT FROM mcp_tasks t
     WHERE t.task_hash = p_task_hash AND t.lease = p_claim AND t.status = 'input_required');
END
$$;
