-- Finds tasks that nobody runs: no runner has taken them in time, or the lease of their runner has run out. Those that may not be
-- tried again fail. Of the others nobody else is told for a while. With a hash: the same of one task.
CREATE OR REPLACE FUNCTION mcp_find_due_tasks(
  p_limit integer,
  p_task_hash text,
  -- How long it may take until somebody has taken one.
  p_start_seconds integer,
  -- The error of a task that is lost, as JSON text.
  p_lost text,
  OUT tasks text[],
  OUT lost integer,
  -- When the first of what is at work, and of the tasks found, is due. NULL: nothing is at work.
  OUT next_due timestamptz
)
LANGUAGE plpgsql
AS $$
DECLARE
  -- A function that is asked anew for each row could not be looked up in an index.
  asked_at CONSTANT timestamptz := clock_timestamp();
  due record;
BEGIN
  tasks := '{}';
  lost := 0;
  FOR due IN
    -- A locked one is being changed: it is not due any more.
    SELECT t.task_hash, t.lease IS NOT NULL AND (t.on_lost = 'fail' OR t.attempt >= t.max_attempts) AS is_lost
      FROM mcp_tasks t
     WHERE t.status = 'working' AND t.leased_until <= asked_at AND t.expires_at > asked_at
       AND (p_task_hash IS NULL OR t.task_hash = p_task_hash)
     ORDER BY t.leased_until LIMIT p_limit FOR UPDATE SKIP LOCKED
  LOOP
    IF due.is_lost THEN
      lost := lost + mcp_end_task(due.task_hash, 'failed', p_lost)::integer;
      CONTINUE;
    END IF;
    UPDATE mcp_tasks t
       SET lease = NULL, leased_until = asked_at + p_start_seconds * interval '1 second'
     WHERE t.task_hash = due.task_hash;
    tasks := tasks || due.task_hash;
  END LOOP;
  SELECT min(t.leased_until) INTO next_due FROM mcp_tasks t
   WHERE t.status = 'working' AND t.expires_at > asked_at;
END
$$;
