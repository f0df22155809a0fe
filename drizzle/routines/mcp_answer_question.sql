-- Takes the answer to a question, once. The answer that is the last one of its call gets the call, to go on with it.
CREATE OR REPLACE FUNCTION mcp_answer_question(
  p_question text,
  p_session_id text,
  -- A JSON-RPC result, as text.
  p_answer text,
  -- A random name of who asks. Repeated with the same one, the call is given again.
  p_claim text,
  -- `unknown`, `answered` before, `waiting` for other answers, or `complete`.
  OUT outcome text,
  -- The rest is for `complete` only.
  OUT stream text,
  OUT call text,
  OUT last_event integer,
  -- A JSON object, as text: the answers by their names.
  OUT answers text
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  s mcp_streams;
BEGIN
  SELECT q.stream INTO stream FROM mcp_questions q
   WHERE q.question = p_question AND q.session_id = p_session_id AND q.expires_at > clock_timestamp();
  -- Answers of one call wait for each other here. The next statements see what the one before has done.
  SELECT * INTO s FROM mcp_streams m WHERE m.stream = stream AND m.expires_at > clock_timestamp() FOR UPDATE;
  IF NOT FOUND THEN
    outcome := 'unknown';
    RETURN;
  END IF;
  outcome := 'answered';
  IF s.finished_at IS NOT NULL OR s.call IS NULL OR s.taken_by <> p_claim THEN RETURN; END IF;
  IF s.taken_by IS NULL THEN
    UPDATE mcp_questions q SET answer = p_answer WHERE q.question = p_question AND q.answer IS NULL;
    IF NOT FOUND THEN RETURN; END IF;
    PERFORM mcp_add_to_total('questions_answered', 1);
    outcome := 'waiting';
    IF EXISTS (SELECT FROM mcp_questions q WHERE q.stream = stream AND q.answer IS NULL) THEN RETURN; END IF;
    UPDATE mcp_streams m SET taken_by = p_claim, detached_at = now() WHERE m.stream = stream;
  END IF;
  outcome := 'complete';
  call := s.call;
  last_event := s.last_event;
  -- json, not jsonb: an answer may hold what jsonb cannot.
  SELECT json_object_agg(q.key, q.answer::json)::text INTO answers FROM mcp_questions q WHERE q.stream = stream;
END
$$;
