-- Cancels a call of a session: leaves a mark for whoever runs it, and takes its questions back.
CREATE OR REPLACE FUNCTION mcp_cancel_call(
  p_mark text,
  p_session_id text,
  -- The JSON-RPC id of the call, as JSON text.
  p_request_id text,
  p_ttl_seconds integer,
  p_max_marks integer
)
RETURNS boolean
LANGUAGE sql
AS $$
  DELETE FROM mcp_questions q USING mcp_streams s
   -- A call begins with its id. PostgreSQL cannot take it out of JSON that holds a NUL elsewhere.
   WHERE s.session_id = p_session_id AND starts_with(s.call, '{"id":' || p_request_id || ',')
     AND q.stream = s.stream;
  SELECT mcp_make_mark(p_mark, p_session_id, 'cancelled', p_ttl_seconds, p_max_marks)
$$;
