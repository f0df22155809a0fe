-- What a cleanup run does before it deletes: counts what has expired, removes old records of runs, merges the changes of the
-- number of sessions, counts the sessions again when rows may have come or gone past the triggers, and folds the totals.
CREATE OR REPLACE FUNCTION mcp_tidy_cleanup(p_run_id bigint, p_keep_runs_since timestamptz)
RETURNS void
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  -- Counting 16 MiB takes some milliseconds, so a smaller table is always counted.
  counted_pages CONSTANT bigint := 2000;
  pages CONSTANT bigint := pg_relation_size('mcp_sessions') / current_setting('block_size')::bigint;
  -- PostgreSQL's own estimate. It knows rows that no trigger has seen.
  estimate double precision;
  total bigint;
BEGIN
  -- The lease of the run (mcp_begin_cleanup_run): counting can take longer than five seconds.
  PERFORM FROM mcp_cleanup_runs r WHERE r.run_id = p_run_id FOR UPDATE;
  PERFORM mcp_count_expired();
  DELETE FROM mcp_cleanup_runs r WHERE r.started_at < p_keep_runs_since AND r.run_id <> p_run_id;
  PERFORM mcp_merge_session_changes();
  SELECT coalesce(sum(c.change), 0) INTO total FROM mcp_session_changes c;
  SELECT CASE WHEN c.reltuples > 0 AND c.relpages > 0 THEN c.reltuples * pages / c.relpages
              ELSE pg_stat_get_live_tuples(c.oid) END
    INTO estimate FROM pg_class c WHERE c.oid = 'mcp_sessions'::regclass;
  IF pages <= counted_pages OR abs(total - estimate) > 0.1 * estimate THEN
    PERFORM mcp_recount_sessions();
  END IF;
  -- Last, because it holds its locks until the transaction ends.
  PERFORM mcp_fold_totals();
END
$$;
