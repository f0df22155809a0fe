-- One cleanup run: deletes expired sessions in batches. Each batch is a transaction that also counts what it deleted. Call
-- it as a single statement outside a transaction block, because it commits.
--
-- A run holds the sweep lock, an advisory lock of the session: it outlives each COMMIT and ends with the backend. So a run
-- is alive exactly as long as its lock is held.
--
-- A run finds expired sessions by the index of expiry times, oldest first, a counted batch at a time. When a larger table
-- has more than one batch of them, the run deletes in bulk, without locking each row first, some milliseconds at a time:
-- by ranges of expiry times, when sessions that expire together are stored together; otherwise, when many have expired,
-- by ranges of pages, so that each page is read once.
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
  INOUT error_code text DEFAULT NULL,
  -- When the first of the remaining sessions expires, in milliseconds since 1970. 8640000000000000, the last instant of a
  -- JavaScript Date, when none ever does. NULL when that is not known.
  INOUT earliest_expiry bigint DEFAULT NULL
)
LANGUAGE plpgsql
AS $$
DECLARE
  -- The locks are per table: mcp_sessions of another schema has its own.
  table_key CONSTANT integer := 'mcp_sessions'::regclass::oid::integer;
  sweep_lock CONSTANT integer := 1;
  regular_lock CONSTANT integer := 2;
  started CONSTANT timestamptz := clock_timestamp();
  -- A statement_timeout applies to the whole run. Half of it is reserved for the batch that is in-flight at the deadline.
  statement_limit CONSTANT interval := nullif(current_setting('statement_timeout')::interval, interval '0') / 2;
  deadline CONSTANT timestamptz := started + least(p_time_budget_ms * interval '1 millisecond', statement_limit);
  -- Halved for each of the tier's last ten runs that was cancelled, because a batch of the same size would be, too.
  batch_size integer;
  -- Fixed at the start, so that the run ends. Never later than the database's clock, so that no live session is deleted.
  expired_before CONSTANT timestamptz := least(p_scheduled_at, started);
  cutoff CONSTANT timestamptz := expired_before - p_min_age_seconds * interval '1 second';
  -- An ended session is kept for two minutes. A client whose request to end it got no answer repeats the request, and must
  -- find the session ended by itself.
  ended_before CONSTANT timestamptz := started - interval '2 minutes';
  -- A session that expired by then was not ended in the last two minutes, because ending it sets expires_at, too. So bulk
  -- deletes compare expires_at only.
  bulk_until CONSTANT timestamptz := least(cutoff, ended_before) - interval '1 microsecond';
  -- Where the last batch ended. Without it, while an old snapshot is open, each batch reads the index entries of all earlier
  -- batches again.
  watermark timestamptz := '-infinity';
  -- How the next batch deletes: counted, or in bulk by ranges or by pages.
  form text := 'counted';
  bulk text;
  range_width interval;
  range_end timestamptz;
  pages bigint;
  next_page bigint := 0;
  pages_a_batch bigint := 16;
  from_row tid;
  to_row tid;
  -- The target time of a bulk batch. One by ranges stops at twice this time.
  bulk_ms double precision;
  -- The factor for the size of the next bulk batch.
  growth double precision;
  is_blocked boolean;
  skip_locked boolean := false;
  batch_started timestamptz;
  batch_found bigint;
  batch_pages bigint;
  batch_deleted bigint;
  is_last boolean;
  is_first boolean := true;
  this_run bigint;
  ending text;
  failure text;
BEGIN
  -- A run of another tier is skipped while any run is alive. A regular run is skipped only while a regular run is alive, and
  -- waits for one of another tier: at a full hour both crons fire, and the regular run must not be the skipped one.
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
      -- A crash may undo a batch together with its record. The next run repeats it.
      PERFORM set_config('synchronous_commit', 'off', true);
      -- This run holds the sweep lock, so any other run that is recorded as running has died.
      UPDATE mcp_cleanup_runs r
         SET outcome = 'failed', error_code = 'interrupted', finished_at = clock_timestamp()
       WHERE r.outcome = 'running';
      PERFORM mcp_merge_session_changes();
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

  bulk_ms := least(0.02 * batch_size, 20);

  LOOP
    is_last := false;
    is_blocked := false;
    batch_started := clock_timestamp();
    BEGIN
      PERFORM set_config('synchronous_commit', 'off', true);
      IF form = 'counted' THEN
        PERFORM set_config('lock_timeout', greatest(p_time_budget_ms, 1)::text, true);
        -- FOR UPDATE checks the latest version of each row, so a session that was extended meanwhile is kept. SKIP LOCKED
        -- means that a run never waits for a row and never deadlocks.
        WITH victims AS MATERIALIZED (
          SELECT s.ctid AS row_id, s.expires_at
            FROM mcp_sessions s
           WHERE s.expires_at >= watermark AND s.expires_at < expired_before AND s.expires_at <= cutoff
             AND (s.ended_at IS NULL OR s.ended_at < ended_before)
           ORDER BY s.expires_at
           LIMIT batch_size
             FOR UPDATE SKIP LOCKED
        ), gone AS (
          DELETE FROM mcp_sessions WHERE ctid = ANY (ARRAY(SELECT v.row_id FROM victims v)) RETURNING 1
        )
        SELECT count(*), coalesce(max(v.expires_at), watermark), (SELECT count(*) FROM gone),
               CASE WHEN is_first THEN count(DISTINCT (v.row_id::text::point)[0]) END,
               coalesce(range_width, greatest(max(v.expires_at) - min(v.expires_at) FILTER (WHERE isfinite(v.expires_at)),
                                              interval '1 second'))
          INTO batch_found, watermark, batch_deleted, batch_pages, range_width
          FROM victims v;
        is_last := batch_found < batch_size;
        IF is_first AND NOT is_last THEN
          pages := pg_relation_size('mcp_sessions') / current_setting('block_size')::bigint;
          IF pages >= 500 AND 4 * batch_pages <= batch_found AND isfinite(watermark) THEN
            bulk := 'ranges';
          ELSIF pages >= 500 THEN
            -- A sample of random pages shows whether at least a tenth has expired.
            SELECT CASE WHEN 10 * count(*) FILTER (WHERE s.expires_at <= bulk_until) >= count(*) THEN 'pages' END
              INTO bulk FROM mcp_sessions s TABLESAMPLE SYSTEM (least(100.0 * 100 / pages, 100));
          END IF;
        END IF;
      ELSE
        -- When a row is locked for longer than 10 ms, the batch is repeated in a form that skips locked rows.
        PERFORM set_config('lock_timeout', CASE WHEN skip_locked THEN greatest(p_time_budget_ms, 1) ELSE 10 END::text, true);
        IF form = 'ranges' THEN
          PERFORM set_config('enable_seqscan', 'off', true);
          PERFORM set_config('enable_bitmapscan', 'off', true);
          range_end := least(watermark + range_width, bulk_until);
          DELETE FROM mcp_sessions s
           WHERE s.expires_at >= watermark AND s.expires_at <= range_end
             AND clock_timestamp() < batch_started + 2 * bulk_ms * interval '1 millisecond';
        ELSE
          from_row := format('(%s,0)', next_page)::tid;
          to_row := format('(%s,0)', next_page + pages_a_batch)::tid;
          -- IS TRUE keeps the planner from the index of expiry times.
          IF skip_locked THEN
            DELETE FROM mcp_sessions WHERE ctid = ANY (ARRAY(
              SELECT s.ctid FROM mcp_sessions s
               WHERE s.ctid >= from_row AND s.ctid < to_row AND (s.expires_at <= bulk_until) IS TRUE
                 FOR UPDATE SKIP LOCKED));
          ELSE
            DELETE FROM mcp_sessions s
             WHERE s.ctid >= from_row AND s.ctid < to_row AND (s.expires_at <= bulk_until) IS TRUE;
          END IF;
        END IF;
        GET DIAGNOSTICS batch_deleted = ROW_COUNT;
      END IF;
      UPDATE mcp_cleanup_runs r
         SET deleted = r.deleted + batch_deleted, batches = r.batches + (batch_deleted > 0)::integer
       WHERE r.run_id = this_run AND r.outcome = 'running';
      IF NOT FOUND THEN
        RAISE EXCEPTION 'this run was closed by another' USING ERRCODE = 'object_not_in_prerequisite_state';
      END IF;
    EXCEPTION
      WHEN lock_not_available THEN
        is_blocked := true;
        IF form = 'counted' OR skip_locked THEN failure := SQLSTATE; END IF;
      WHEN query_canceled OR OTHERS THEN
        failure := SQLSTATE;
    END;
    COMMIT;
    ending := CASE
      WHEN failure IS NOT NULL THEN 'failed'
      WHEN is_last THEN 'completed'
      WHEN clock_timestamp() >= deadline THEN 'partial'
    END;
    EXIT WHEN ending IS NOT NULL;

    growth := bulk_ms / (extract(epoch FROM clock_timestamp() - batch_started) * 1000);
    IF form = 'counted' THEN
      is_first := false;
    ELSIF form = 'pages' THEN
      skip_locked := is_blocked;
      IF NOT is_blocked THEN
        next_page := next_page + pages_a_batch;
        pages_a_batch := greatest(pages_a_batch * least(greatest(growth, 0.5), 2), 1);
      END IF;
    ELSIF is_blocked OR growth <= 0.5 THEN
      -- The batch did not reach the end of its range. The next one is counted, and the one after takes a shorter range.
      range_width := greatest(range_width / 4, interval '1 millisecond');
      form := NULL;
    ELSE
      watermark := range_end;
      range_width := range_width * least(growth, 2);
    END IF;
    IF bulk = 'ranges' AND watermark >= bulk_until OR bulk = 'pages' AND next_page >= pages THEN
      -- Only the last two minutes are left.
      watermark := greatest(watermark, bulk_until);
      bulk := NULL;
    END IF;
    form := CASE WHEN form IS NULL THEN 'counted' ELSE coalesce(bulk, 'counted') END;
  END LOOP;

  UPDATE mcp_cleanup_runs r
     SET outcome = ending, error_code = failure, finished_at = clock_timestamp()
   WHERE r.run_id = this_run AND r.outcome = 'running';
  COMMIT;
  PERFORM pg_advisory_unlock(table_key, sweep_lock);
  IF p_tier = 'regular' THEN PERFORM pg_advisory_unlock(table_key, regular_lock); END IF;
  -- One batch was enough, so the first entry of the index is a remaining session, and reading it is cheap.
  IF ending = 'completed' AND is_first THEN
    SELECT floor(least(greatest(extract(epoch FROM coalesce(min(s.expires_at), 'infinity')) * 1000, 0), 8640000000000000))
      INTO earliest_expiry FROM mcp_sessions s;
  END IF;
  SELECT r.run_id, r.outcome, r.deleted, r.batches, r.error_code
    INTO run_id, outcome, deleted, batches, error_code
    FROM mcp_cleanup_runs r WHERE r.run_id = this_run;
END
$$;
