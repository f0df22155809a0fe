-- Adds a cleanup run to the totals. Each batch adds the sessions it has deleted, and the end of a run adds the run itself.
-- Records of runs are deleted after some time; the totals stay.
CREATE OR REPLACE FUNCTION mcp_count_cleanup_run()
RETURNS trigger
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  deleted_before CONSTANT bigint := CASE WHEN TG_OP = 'UPDATE' THEN OLD.deleted ELSE 0 END;
  was_running CONSTANT boolean := TG_OP = 'INSERT' OR OLD.outcome = 'running';
  duration_ms CONSTANT bigint := extract(epoch FROM NEW.finished_at - NEW.started_at) * 1000;
  -- The upper bounds of the histogram's buckets.
  bucket CONSTANT text := coalesce(
    (SELECT min(bound) FROM unnest(ARRAY[10, 50, 100, 500, 1000, 5000, 20000, 60000, 300000]) AS bound
      WHERE duration_ms <= bound)::text, 'more');
BEGIN
  PERFORM mcp_add_to_total('sessions_deleted/' || NEW.tier, NEW.deleted - deleted_before);
  IF was_running AND NEW.outcome <> 'running' THEN
    PERFORM mcp_add_to_total('cleanup_runs/' || NEW.tier || '/' || NEW.outcome, 1);
    -- A skipped run took no time. When an interrupted run stopped is not known.
    IF NEW.outcome <> 'skipped' AND NEW.error_code IS DISTINCT FROM 'interrupted' THEN
      PERFORM mcp_add_to_total('cleanup_duration/' || NEW.tier || '/' || bucket, 1);
      PERFORM mcp_add_to_total('cleanup_duration_ms/' || NEW.tier, duration_ms);
    END IF;
  END IF;
  RETURN NULL;
END
$$;
