-- What a stream of a session has after an event, for a client that comes back, and how it stands. The first time, it notes that the
-- client has left the request that did the work.
CREATE OR REPLACE FUNCTION mcp_replay_stream(
  p_stream text,
  p_session_id text,
  p_after integer,
  -- Whether its request is so young that it need not have stored anything.
  p_may_be_new boolean,
  p_ttl_seconds integer,
  p_max_streams integer,
  -- How long work may go on that nobody is connected to.
  p_grace_seconds integer,
  -- `finished`, `running`, `asking`; `lost`: whoever did the work is gone; `unanswered`: nobody has answered in time;
  -- `expired`: there is no such stream any more.
  OUT state text,
  -- The number of the last event.
  OUT last_event integer,
  -- Those after p_after that are kept, in order: their numbers and messages.
  OUT events integer[],
  OUT messages text[]
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  s record;
BEGIN
  UPDATE mcp_streams m SET detached_at = now()
   WHERE m.stream = p_stream AND m.session_id = p_session_id
     AND m.finished_at IS NULL AND m.call IS NULL AND m.detached_at IS NULL;
  -- Not one statement with the one before: a stream that is swept meanwhile would come back.
  IF p_may_be_new AND NOT EXISTS (SELECT FROM mcp_streams own WHERE own.stream = p_stream) THEN
    INSERT INTO mcp_streams (stream, session_id, detached_at, expires_at)
    SELECT p_stream, p_session_id, now(), now() + p_ttl_seconds * interval '1 second'
     WHERE (SELECT count(*) FROM mcp_streams others
             WHERE others.session_id = p_session_id AND others.expires_at > now()) < p_max_streams
    ON CONFLICT (stream) DO NOTHING;
  END IF;
  -- One statement: between two, the last answer could come, and leave no question.
  SELECT m.*, EXISTS (SELECT FROM mcp_questions q WHERE q.stream = m.stream AND q.answer IS NULL
                         AND q.expires_at > clock_timestamp()) AS is_open
    INTO s FROM mcp_streams m
   WHERE m.stream = p_stream AND m.session_id = p_session_id AND m.expires_at > clock_timestamp();
  state := CASE
    WHEN s.stream IS NULL THEN 'expired'
    WHEN s.finished_at IS NOT NULL THEN 'finished'
    WHEN s.call IS NOT NULL AND s.taken_by IS NULL THEN
      CASE WHEN s.is_open THEN 'asking' ELSE 'unanswered' END
    WHEN s.detached_at < clock_timestamp() - p_grace_seconds * interval '1 second' THEN 'lost'
    ELSE 'running' END;
  last_event := coalesce(s.last_event, 0);
  SELECT coalesce(array_agg(e.event ORDER BY e.event), '{}'), coalesce(array_agg(e.message ORDER BY e.event), '{}')
    INTO events, messages
    FROM mcp_stream_events e WHERE e.stream = s.stream AND e.event > p_after;
END
$$;
