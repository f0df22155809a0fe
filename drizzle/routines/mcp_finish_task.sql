-- Ends a task with what its runner has found. Only who has the lease does that; what has ended never changes. Returns whether this
-- is how it has ended. Repeated with the same claim it says the same.
CREATE OR REPLACE FUNCTION mcp_finish_task(
  p_task_hash text,
  p_claim text,
  -- `completed` or `failed`.
  p_status text,
  -- The result, or the error, as JSON text.
  p_result text
)
RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
  t mcp_tasks;
BEGIN
  SELECT * INTO t FROM mcp_tasks own WHERE own.task_hash = p_task_hash AND own.lease = p_claim FOR UPDATE;
  IF t.status = 'working' THEN
    RETURN mcp_end_task(p_task_hash, p_status, p_result);
  END IF;
  -- A task that was lost has failed in another way.
  RETURN coalesce(t.status = p_status AND t.result = p_result, false);
END
$$;
