-- Takes a task, to run it. A task that was begun before, and whose runner is lost, is begun again or fails, as its author has chosen.
CREATE OR REPLACE FUNCTION mcp_take_task(
  p_task_hash text,
  -- A random name of who asks. Repeated with the same one, it is taken still.
  p_claim text,
  p_lease_seconds integer,
  -- The error of a task that is lost, as JSON text.
  p_lost text,
  -- `taken`; `busy`: somebody runs it; `over`: there is nothing to be done.
  OUT outcome text,
  -- How long somebody is known to run it, for `busy`.
  OUT seconds integer,
  -- The rest is for `taken` only.
  OUT owner text,
  OUT call text,
  OUT input_responses text[],
  OUT request_state text,
  OUT attempt integer,
  OUT version integer
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  t mcp_tasks;
  is_due boolean;
BEGIN
  SELECT * INTO t FROM mcp_tasks own
   WHERE own.task_hash = p_task_hash AND own.expires_at > clock_timestamp() FOR UPDATE;
  outcome := 'over';
  IF NOT FOUND OR t.status <> 'working' THEN RETURN; END IF;
  is_due := t.lease IS NULL OR t.leased_until <= clock_timestamp();
  IF NOT is_due AND t.lease <> p_claim THEN
    outcome := 'busy';
    seconds := ceil(extract(epoch FROM t.leased_until - clock_timestamp()));
    RETURN;
  END IF;
  IF t.lease IS DISTINCT FROM p_claim THEN
    IF t.attempt >= (CASE t.on_lost WHEN 'fail' THEN 1 ELSE t.max_attempts END) THEN
      PERFORM mcp_end_task(p_task_hash, 'failed', p_lost);
      RETURN;
    END IF;
    UPDATE mcp_tasks own
       SET lease = p_claim, attempt = own.attempt + 1, version = own.version + 1,
           leased_until = clock_timestamp() + p_lease_seconds * interval '1 second'
     WHERE own.task_hash = p_task_hash
    RETURNING * INTO t;
  END IF;
  outcome := 'taken';
  owner := t.owner;
  call := t.call;
  input_responses := t.input_responses;
  request_state := t.request_state;
  attempt := t.attempt;
  version := t.version;
END
$$;
