-- Adds events to a stream of a live session, and asks its client. Returns whether they are there: not when the session has
-- ended, when the stream has its last event already, or when the session has too many streams that are not finished. Repeated with the same
-- numbers it changes nothing.
CREATE OR REPLACE FUNCTION mcp_append_events(
  p_stream text,
  p_session_id text,
  -- The number of the first of the messages.
  p_first_event integer,
  p_messages text[],
  -- Whether the last of them is the response.
  p_is_finished boolean,
  p_ttl_seconds integer,
  p_max_streams integer,
  -- The call that waits for answers, and its questions. NULL: it does not wait.
  p_call text DEFAULT NULL,
  p_questions text[] DEFAULT '{}',
  p_keys text[] DEFAULT '{}'
)
RETURNS boolean
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  last_event CONSTANT integer := p_first_event + cardinality(p_messages) - 1;
  expiry CONSTANT timestamptz := now() + p_ttl_seconds * interval '1 second';
BEGIN
  IF NOT EXISTS (
    SELECT FROM ONLY mcp_sessions m
     WHERE m.session_id = p_session_id AND m.ended_at IS NULL AND m.expires_at > clock_timestamp()
  ) THEN RETURN false; END IF;
  IF NOT EXISTS (SELECT FROM mcp_streams own WHERE own.stream = p_stream) THEN
    -- The oldest answers that are there give way to one that is to come.
    WITH ranked AS (
      SELECT others.stream, others.finished_at,
             row_number() OVER (ORDER BY others.finished_at DESC NULLS FIRST) AS place
        FROM mcp_streams others WHERE others.session_id = p_session_id AND others.expires_at > now()),
    gone AS (
      DELETE FROM mcp_streams m USING ranked
       WHERE m.stream = ranked.stream AND ranked.place >= p_max_streams AND ranked.finished_at IS NOT NULL
      RETURNING m.stream)
    DELETE FROM mcp_stream_events e USING gone WHERE e.stream = gone.stream;
  END IF;
  INSERT INTO mcp_streams AS s (stream, session_id, last_event, call, finished_at, expires_at)
  SELECT p_stream, p_session_id, last_event, p_call, CASE WHEN p_is_finished THEN now() END, expiry
   WHERE EXISTS (SELECT FROM mcp_streams own WHERE own.stream = p_stream)
      OR (SELECT count(*) FROM mcp_streams others
           WHERE others.session_id = p_session_id AND others.expires_at > now()) < p_max_streams
  ON CONFLICT (stream) DO UPDATE
     SET last_event = excluded.last_event, call = excluded.call, finished_at = excluded.finished_at,
         expires_at = excluded.expires_at,
         -- Who asks is not lost while its client is silent, and has not taken answers that are yet to come.
         detached_at = CASE WHEN p_call IS NULL THEN s.detached_at END,
         taken_by = CASE WHEN p_call IS NULL THEN s.taken_by END
   WHERE s.session_id = p_session_id AND s.finished_at IS NULL AND s.last_event < excluded.last_event;
  IF NOT FOUND THEN
    RETURN EXISTS (
      SELECT FROM mcp_stream_events e JOIN unnest(p_messages) WITH ORDINALITY AS sent (message, place)
          ON e.event = p_first_event + sent.place - 1 AND e.message = sent.message
       WHERE e.stream = p_stream AND e.event = last_event)
       AND EXISTS (SELECT FROM mcp_streams own WHERE own.stream = p_stream AND own.session_id = p_session_id);
  END IF;
  INSERT INTO mcp_stream_events (stream, event, message, expires_at)
  SELECT p_stream, p_first_event + sent.place - 1, sent.message, expiry
    FROM unnest(p_messages) WITH ORDINALITY AS sent (message, place);
  IF p_call IS NOT NULL THEN
    -- Those of an earlier round are answered, and their names may come again.
    DELETE FROM mcp_questions q WHERE q.stream = p_stream;
    INSERT INTO mcp_questions (question, stream, session_id, key, expires_at)
    SELECT asked.question, p_stream, p_session_id, asked.key, expiry
      FROM unnest(p_questions, p_keys) AS asked (question, key);
    PERFORM mcp_add_to_total('questions_asked', cardinality(p_questions));
  END IF;
  RETURN true;
END
$$;
