-- One batch of a cleanup run: deletes what has outlived its request and has expired: streams, events, questions and marks, up
-- to a number of each. Returns how many rows.
CREATE OR REPLACE FUNCTION mcp_sweep_streams(p_run_id bigint, p_limit integer)
RETURNS bigint
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  streams bigint;
  events bigint;
  questions bigint;
  marks bigint;
BEGIN
  -- The lease of the run, as in mcp_delete_in_batches.
  UPDATE mcp_cleanup_runs r SET renewed_at = clock_timestamp() WHERE r.run_id = p_run_id AND r.outcome = 'running';
  IF NOT FOUND THEN RETURN 0; END IF;
  -- A locked row is in use: its stream has been extended, or another run deletes it.
  DELETE FROM mcp_streams WHERE stream = ANY (ARRAY(
    SELECT s.stream FROM mcp_streams s WHERE s.expires_at <= now()
     ORDER BY s.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS streams = ROW_COUNT;
  DELETE FROM mcp_stream_events WHERE (stream, event) IN (
    SELECT e.stream, e.event FROM mcp_stream_events e WHERE e.expires_at <= now()
     ORDER BY e.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS events = ROW_COUNT;
  DELETE FROM mcp_questions WHERE question = ANY (ARRAY(
    SELECT q.question FROM mcp_questions q WHERE q.expires_at <= now()
     ORDER BY q.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS questions = ROW_COUNT;
  DELETE FROM mcp_marks WHERE mark = ANY (ARRAY(
    SELECT m.mark FROM mcp_marks m WHERE m.expires_at <= now()
     ORDER BY m.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS marks = ROW_COUNT;
  RETURN mcp_add_to_total('stream_rows_deleted', streams + events + questions + marks);
END
$$;
