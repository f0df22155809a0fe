-- Makes a task. When its owner has as many as the limit, the oldest that has expired or ended gives way. Returns when it was made;
-- NULL when all others are alive: then it is not there. Repeated with the same key it changes nothing.
CREATE OR REPLACE FUNCTION mcp_create_task(
  p_task_hash text,
  p_owner text,
  p_tool text,
  p_call text,
  p_on_lost text,
  p_max_attempts integer,
  p_poll_ms integer,
  p_ttl_seconds integer,
  -- How long it may take until somebody has taken it.
  p_start_seconds integer,
  p_max_tasks integer
)
RETURNS timestamptz
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  made timestamptz;
  surplus bigint;
  gone bigint;
  expired bigint;
BEGIN
  -- The turn, as in mcp_open_session. Otherwise two could both see room for one more.
  PERFORM pg_advisory_xact_lock(hashtext('mcp_create_task'), hashtext(p_owner));
  SELECT t.created_at INTO made FROM mcp_tasks t WHERE t.task_hash = p_task_hash;
  IF FOUND THEN RETURN made; END IF;
  -- Those that have expired count, too: so making them in a loop cannot fill the table between two cleanup runs.
  SELECT count(*) - p_max_tasks + 1 INTO surplus FROM mcp_tasks t WHERE t.owner = p_owner;
  IF surplus > 0 THEN
    WITH old AS MATERIALIZED (
      SELECT t.task_hash FROM mcp_tasks t
       WHERE t.owner = p_owner AND (t.expires_at <= now() OR t.status NOT IN ('working', 'input_required'))
       ORDER BY t.expires_at > now(), t.updated_at
       LIMIT surplus
         FOR UPDATE SKIP LOCKED),
    deleted AS (
      DELETE FROM mcp_tasks t USING old WHERE t.task_hash = old.task_hash RETURNING t.expires_at)
    SELECT count(*), count(*) FILTER (WHERE d.expires_at <= now()) INTO gone, expired FROM deleted d;
    PERFORM mcp_add_to_total('tasks_expired', expired);
    IF gone < surplus THEN RETURN NULL; END IF;
  END IF;
  INSERT INTO mcp_tasks AS t (task_hash, owner, tool, call, on_lost, max_attempts, poll_ms, leased_until, expires_at)
  VALUES (p_task_hash, p_owner, p_tool, p_call, p_on_lost, p_max_attempts, p_poll_ms,
          now() + p_start_seconds * interval '1 second', now() + p_ttl_seconds * interval '1 second')
  RETURNING t.created_at INTO made;
  PERFORM mcp_add_to_total('tasks_created', 1);
  RETURN made;
END
$$;
