-- Takes a client's answers to the questions of a task. Each is answered once; what is no question of it is left out. When the last
-- one is answered, the task is to be taken up again.
CREATE OR REPLACE FUNCTION mcp_answer_task(
  p_task_hash text,
  p_owner text,
  p_keys text[],
  -- In the same order, each with its key as JSON text.
  p_answers text[],
  -- How large all answers of a task may be together.
  p_max_bytes integer,
  -- How long it may take until somebody has taken it.
  p_start_seconds integer
)
-- NULL: there is no such task. `ready` to be taken, `too_large`, or `taken` as far as there were questions.
RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
  t mcp_tasks;
  given text[];
  remaining text[];
BEGIN
  SELECT * INTO t FROM mcp_tasks own
   WHERE own.task_hash = p_task_hash AND own.owner = p_owner AND own.expires_at > clock_timestamp() FOR UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF t.status <> 'input_required' THEN
    -- Repeated, or somebody else's answer was the last one: to start it twice does no harm.
    RETURN CASE WHEN t.status = 'working' AND t.lease IS NULL AND t.attempt = 0 AND t.input_responses IS NOT NULL
                THEN 'ready' ELSE 'taken' END;
  END IF;
  given := t.input_responses || ARRAY(
    SELECT said.answer FROM unnest(p_keys, p_answers) AS said (key, answer)
     WHERE said.key = ANY (t.input_keys));
  IF octet_length(array_to_string(given, '')) > p_max_bytes THEN RETURN 'too_large'; END IF;
  remaining := ARRAY(SELECT key FROM unnest(t.input_keys) AS key WHERE key <> ALL (p_keys));
  IF cardinality(remaining) = cardinality(t.input_keys) THEN RETURN 'taken'; END IF;
  IF cardinality(remaining) > 0 THEN
    UPDATE mcp_tasks own
       SET input_keys = remaining, input_responses = given, version = own.version + 1, updated_at = clock_timestamp()
     WHERE own.task_hash = p_task_hash;
    RETURN 'taken';
  END IF;
  UPDATE mcp_tasks own
     SET status = 'working', input_requests = NULL, input_keys = NULL, input_responses = given, lease = NULL,
         leased_until = clock_timestamp() + p_start_seconds * interval '1 second',
         version = own.version + 1, updated_at = clock_timestamp()
   WHERE own.task_hash = p_task_hash;
  RETURN 'ready';
END
$$;
