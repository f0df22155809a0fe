-- Cancels a task. Who runs it is not waited for. Returns `cancelled`, also when it was before, `ended` when it has ended in another
-- way, and NULL when there is no such task.
CREATE OR REPLACE FUNCTION mcp_cancel_task(
  p_task_hash text,
  -- NULL: an operator asks.
  p_owner text
)
RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
  status_before text;
BEGIN
  SELECT t.status INTO status_before FROM mcp_tasks t
   WHERE t.task_hash = p_task_hash AND (p_owner IS NULL OR t.owner = p_owner) AND t.expires_at > clock_timestamp()
     FOR UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF mcp_end_task(p_task_hash, 'cancelled', NULL, CASE WHEN p_owner IS NULL THEN 'Cancelled by an operator' END) THEN RETURN 'cancelled'; END IF;
  RETURN CASE status_before WHEN 'cancelled' THEN 'cancelled' ELSE 'ended' END;
END
$$;
