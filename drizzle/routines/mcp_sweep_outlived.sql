-- One batch of a cleanup run, of all that outlives a request: deletes what has expired, up to a number of each table. Returns how many
-- rows, and when the first of the rest expires: NULL when there is no rest.
--
-- A role that may not write some of the tables has no rows in them: its rights are of a version before.
CREATE OR REPLACE FUNCTION mcp_sweep_outlived(
  p_run_id bigint,
  p_limit integer,
  OUT swept bigint,
  OUT earliest_expiry timestamptz
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  batch bigint;
BEGIN
  swept := 0;
  BEGIN
    batch := mcp_sweep_streams(p_run_id, p_limit);
    swept := swept + batch;
    earliest_expiry := least((SELECT min(s.expires_at) FROM mcp_streams s),
                             (SELECT min(e.expires_at) FROM mcp_stream_events e),
                             (SELECT min(q.expires_at) FROM mcp_questions q),
                             (SELECT min(m.expires_at) FROM mcp_marks m));
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END;
  BEGIN
    batch := mcp_sweep_handles(p_run_id, p_limit);
    swept := swept + batch;
    earliest_expiry := least(earliest_expiry, (SELECT min(h.expires_at) FROM mcp_handles h));
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END;
  BEGIN
    batch := mcp_sweep_tasks(p_run_id, p_limit);
    swept := swept + batch;
    earliest_expiry := least(earliest_expiry, (SELECT min(t.expires_at) FROM mcp_tasks t));
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END;
END
$$;
