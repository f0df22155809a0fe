-- Begins a cleanup run unless another one is alive: inserts its record, and closes the records of dead runs.
--
-- The record is the lease of a run. While a run works it holds the row's lock, and between two of its transactions it needs
-- milliseconds. So a running record whose row is not locked belongs to a dead run when its backend has gone, or when it was
-- not renewed for five seconds. No lock outlives a transaction, so none can stay behind on a pooled connection.
CREATE OR REPLACE FUNCTION mcp_begin_cleanup_run(
  p_tier text,
  p_trigger text,
  p_scheduled_at timestamptz,
  p_cutoff timestamptz,
  p_started_at timestamptz,
  -- NULL when the run must not begin.
  OUT run_id bigint,
  -- Why it must not: `busy` or `duplicate`.
  OUT refusal text,
  -- The tier of the run that is alive.
  OUT busy_tier text
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  -- A busy machine may stop a run between two transactions for a moment.
  lease CONSTANT interval := '5 seconds';
  other record;
BEGIN
  -- Runs begin one after the other. The lock is per table: mcp_sessions of another schema has its own.
  PERFORM pg_advisory_xact_lock('mcp_sessions'::regclass::oid::integer, 1);
  FOR other IN SELECT r.run_id, r.tier FROM mcp_cleanup_runs r WHERE r.outcome = 'running' LOOP
    UPDATE mcp_cleanup_runs r
       SET outcome = 'failed', error_code = 'interrupted', finished_at = clock_timestamp()
     WHERE r.ctid = ANY (ARRAY(
       SELECT dead.ctid FROM mcp_cleanup_runs dead
        WHERE dead.run_id = other.run_id AND dead.outcome = 'running'
          AND (dead.renewed_at > clock_timestamp() - lease
               AND dead.backend_pid IN (SELECT pg_stat_get_backend_pid(b) FROM pg_stat_get_backend_idset() b)) IS NOT TRUE
          FOR UPDATE SKIP LOCKED));
    -- A record that is no longer running has ended by itself meanwhile.
    IF NOT FOUND AND EXISTS (
      SELECT FROM mcp_cleanup_runs r WHERE r.run_id = other.run_id AND r.outcome = 'running'
    ) THEN
      refusal := 'busy';
      busy_tier := other.tier;
      RETURN;
    END IF;
  END LOOP;
  IF p_trigger = 'cron' AND EXISTS (
    SELECT FROM mcp_cleanup_runs r
     WHERE r.tier = p_tier AND r.trigger = 'cron' AND r.scheduled_at = p_scheduled_at AND r.outcome = 'completed'
  ) THEN
    refusal := 'duplicate';
    RETURN;
  END IF;
  INSERT INTO mcp_cleanup_runs AS r
         (tier, trigger, scheduled_at, cutoff, started_at, outcome, renewed_at, backend_pid)
  VALUES (p_tier, p_trigger, p_scheduled_at, p_cutoff, p_started_at, 'running', clock_timestamp(), pg_backend_pid())
  RETURNING r.run_id INTO run_id;
END
$$;
