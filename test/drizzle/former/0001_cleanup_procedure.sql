-- One cleanup run, in one call: deletes what has expired in batches, each its own transaction that also counts
-- it. Called as a single statement outside a transaction block, which is what makes COMMIT possible here.
--
-- A run is alive exactly as long as its backend holds the sweep lock: a session-level advisory lock, which
-- outlives the COMMITs and goes when the backend does.
CREATE OR REPLACE PROCEDURE mcp_cleanup_sessions(
  p_tier text,
  p_trigger text,
  p_scheduled_at timestamptz,
  p_min_age_seconds integer,
  p_batch_size integer,
  p_time_budget_ms integer,
  p_retention_days integer,
  INOUT run_id bigint DEFAULT NULL,
  INOUT outcome text DEFAULT NULL,
  INOUT deleted bigint DEFAULT NULL,
  INOUT batches integer DEFAULT NULL,
  INOUT error_code text DEFAULT NULL
)
LANGUAGE plpgsql
AS $$
DECLARE
  -- The locks belong to this mcp_sessions: another schema's has its own.
  table_key CONSTANT integer := 'mcp_sessions'::regclass::oid::integer;
  sweep_lock CONSTANT integer := 1;
  regular_lock CONSTANT integer := 2;
  started CONSTANT timestamptz := clock_timestamp();
  -- A statement_timeout of the role is for the whole run: half of it is left for the batch that is under way then.
  statement_limit CONSTANT interval := nullif(current_setting('statement_timeout')::interval, interval '0') / 2;
  deadline CONSTANT timestamptz := started + least(p_time_budget_ms * interval '1 millisecond', statement_limit);
  -- Halved for each of the tier's last ten runs that was cancelled: the same batch would be, again.
  batch_size integer;
  -- Frozen, so that the run ends; never ahead of the database's clock, so that nothing live is in reach.
  expired_before CONSTANT timestamptz := least(p_scheduled_at, started);
  cutoff CONSTANT timestamptz := expired_before - p_min_age_seconds * interval '1 second';
  -- Where the last batch ended. Without it every batch walks the index entries of all earlier ones for as long
  -- as an old snapshot keeps them.
  watermark timestamptz := '-infinity';
  batch_found bigint;
  batch_deleted bigint;
  this_run bigint;
  ending text;
  failure text;
BEGIN
  -- The narrow tier gives way to any run. The regular tier gives way to a regular run only, and waits for a
  -- narrow one: at a full hour both crons fire, and the regular run must not be the one that is left out.
  IF p_tier = 'regular' THEN
    IF NOT pg_try_advisory_lock(table_key, regular_lock) THEN
      failure := 'busy';
    ELSE
      BEGIN
        PERFORM set_config('lock_timeout', greatest(p_time_budget_ms, 1)::text, true);
        PERFORM pg_advisory_lock(table_key, sweep_lock);
      EXCEPTION WHEN lock_not_available OR query_canceled THEN
        PERFORM pg_advisory_unlock(table_key, regular_lock);
        failure := 'busy';
      END;
    END IF;
  ELSIF NOT pg_try_advisory_lock(table_key, sweep_lock) THEN
    failure := 'busy';
  END IF;

  IF failure IS NULL THEN
    BEGIN
      -- Whoever holds the sweep lock is alone: a run that is still `running` has died.
      UPDATE mcp_cleanup_runs r
         SET outcome = 'failed', error_code = 'interrupted', finished_at = clock_timestamp()
       WHERE r.outcome = 'running';
      DELETE FROM mcp_cleanup_runs r WHERE r.started_at < started - p_retention_days * interval '1 day';
      IF p_trigger = 'cron' AND EXISTS (
        SELECT FROM mcp_cleanup_runs r
         WHERE r.tier = p_tier AND r.trigger = 'cron' AND r.scheduled_at = p_scheduled_at AND r.outcome = 'completed'
      ) THEN
        failure := 'duplicate';
      ELSE
        SELECT greatest(p_batch_size >> least(count(*), 10)::integer, 1) INTO batch_size
          FROM (SELECT r.error_code FROM mcp_cleanup_runs r WHERE r.tier = p_tier
                 ORDER BY r.run_id DESC LIMIT 10) AS recent
         WHERE recent.error_code = '57014';
        INSERT INTO mcp_cleanup_runs AS r (tier, trigger, scheduled_at, cutoff, started_at, outcome)
        VALUES (p_tier, p_trigger, p_scheduled_at, cutoff, started, 'running')
        RETURNING r.run_id INTO this_run;
      END IF;
    EXCEPTION WHEN query_canceled OR OTHERS THEN
      PERFORM pg_advisory_unlock(table_key, sweep_lock);
      IF p_tier = 'regular' THEN PERFORM pg_advisory_unlock(table_key, regular_lock); END IF;
      RAISE;
    END;
    COMMIT;
    IF failure IS NOT NULL THEN
      PERFORM pg_advisory_unlock(table_key, sweep_lock);
      IF p_tier = 'regular' THEN PERFORM pg_advisory_unlock(table_key, regular_lock); END IF;
    END IF;
  END IF;

  IF failure IS NOT NULL THEN
    INSERT INTO mcp_cleanup_runs AS r (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, error_code)
    VALUES (p_tier, p_trigger, p_scheduled_at, cutoff, started, clock_timestamp(), 'skipped', failure)
    RETURNING r.run_id, r.outcome, r.deleted, r.batches, r.error_code
         INTO run_id, outcome, deleted, batches, error_code;
    RETURN;
  END IF;

  LOOP
    BEGIN
      PERFORM set_config('lock_timeout', greatest(p_time_budget_ms, 1)::text, true);
      -- Locking the rows judges their latest version, so a session that was extended meanwhile drops out; and
      -- skipping the locked ones means that no run ever waits for a row, or deadlocks.
      WITH victims AS MATERIALIZED (
        SELECT s.ctid AS row_id, s.expires_at
          FROM mcp_sessions s
         WHERE s.expires_at >= watermark AND s.expires_at < expired_before AND s.expires_at <= cutoff
           -- Whoever ends a session and hears nothing asks again, and must find that it was he.
           AND (s.ended_at IS NULL OR s.ended_at < started - interval '2 minutes')
         ORDER BY s.expires_at
         LIMIT batch_size
           FOR UPDATE SKIP LOCKED
      ), gone AS (
        DELETE FROM mcp_sessions WHERE ctid = ANY (ARRAY(SELECT v.row_id FROM victims v)) RETURNING 1
      )
      SELECT count(*), coalesce(max(v.expires_at), watermark), (SELECT count(*) FROM gone)
        INTO batch_found, watermark, batch_deleted
        FROM victims v;
      UPDATE mcp_cleanup_runs r
         SET deleted = r.deleted + batch_deleted, batches = r.batches + (batch_deleted > 0)::integer
       WHERE r.run_id = this_run AND r.outcome = 'running';
      IF NOT FOUND THEN
        RAISE EXCEPTION 'this run was closed by another' USING ERRCODE = 'object_not_in_prerequisite_state';
      END IF;
    EXCEPTION WHEN query_canceled OR OTHERS THEN
      failure := SQLSTATE;
    END;
    COMMIT;
    ending := CASE
      WHEN failure IS NOT NULL THEN 'failed'
      WHEN batch_found < batch_size THEN 'completed'
      WHEN clock_timestamp() >= deadline THEN 'partial'
    END;
    EXIT WHEN ending IS NOT NULL;
  END LOOP;

  UPDATE mcp_cleanup_runs r
     SET outcome = ending, error_code = failure, finished_at = clock_timestamp()
   WHERE r.run_id = this_run AND r.outcome = 'running';
  COMMIT;
  PERFORM pg_advisory_unlock(table_key, sweep_lock);
  IF p_tier = 'regular' THEN PERFORM pg_advisory_unlock(table_key, regular_lock); END IF;
  SELECT r.run_id, r.outcome, r.deleted, r.batches, r.error_code
    INTO run_id, outcome, deleted, batches, error_code
    FROM mcp_cleanup_runs r WHERE r.run_id = this_run;
END
$$;
