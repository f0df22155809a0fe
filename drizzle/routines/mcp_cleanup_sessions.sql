-- One cleanup run: deletes expired sessions in batches. Each batch is a transaction that also counts what it deleted. Call
-- it as a single statement outside a transaction block, because it commits.
--
-- A run finds expired sessions by the index of expiry times, oldest first, a counted batch at a time. When a larger table
-- has more than one batch of them, the run deletes in bulk, without locking each row first, some milliseconds at a time:
-- by ranges of expiry times, when sessions that expire together are stored together; otherwise, when many have expired,
-- by ranges of pages, so that each page is read once.
--
-- A session that cannot be deleted does not stop the others. When a batch fails, mcp_delete_sessions finds which, and lists
-- it in mcp_cleanup_blocked. Batches leave out what is listed. At its end a run tries the listed sessions again.
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
  INOUT earliest_expiry bigint DEFAULT NULL,
  -- How many expired sessions cannot be deleted, and what keeps them: SQLSTATEs or `kept`, the most frequent first.
  INOUT blocked bigint DEFAULT NULL,
  INOUT blocked_by text DEFAULT NULL
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
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
  skip_locked boolean := false;
  -- Of a batch that has failed: the sessions that mcp_delete_sessions still has to go through.
  single text[] := '{}';
  -- Whether to leave out what mcp_cleanup_blocked lists.
  is_any_listed boolean;
  -- Whether all others are done, and until when listed sessions are tried again.
  is_retrying boolean := false;
  retry_until timestamptz;
  -- This batch. Its step: to go through `single`, to pick listed sessions to try again, or the form in which it deletes.
  step text;
  batch_started timestamptz;
  batch_watermark timestamptz;
  batch_found bigint;
  batch_pages bigint;
  batch_handled integer;
  batch_deleted bigint;
  -- The SQLSTATE of its failure.
  trouble text;
  -- Whether a locked row made it fail, and it can skip that.
  is_locked boolean;
  is_last boolean;
  is_first boolean := true;
  -- The run, or why it must not begin, and the tier of the run that is alive.
  this_run bigint;
  refusal text;
  busy_tier text;
  ending text;
  -- Why the run fails: a SQLSTATE.
  failure text;
  tidying_failure text;
BEGIN
  -- A run of another tier is skipped while any run is alive. A regular run is skipped only while a regular run is alive, and
  -- waits for one of another tier: at a full hour both crons fire, and the regular run must not be the skipped one.
  LOOP
    BEGIN
      PERFORM set_config('lock_timeout', greatest(p_time_budget_ms, 1)::text, true);
      SELECT b.run_id, b.refusal, b.busy_tier INTO this_run, refusal, busy_tier
        FROM mcp_begin_cleanup_run(p_tier, p_trigger, p_scheduled_at, cutoff, started) b;
    EXCEPTION WHEN OTHERS OR assert_failure THEN
      failure := SQLSTATE;
    END;
    COMMIT;
    EXIT WHEN failure IS NOT NULL OR busy_tier IS NULL OR p_tier <> 'regular' OR busy_tier = p_tier
           OR clock_timestamp() >= deadline;
    PERFORM pg_sleep(0.02);
    COMMIT;
  END LOOP;

  IF this_run IS NULL THEN
    INSERT INTO mcp_cleanup_runs AS r (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, error_code)
    VALUES (p_tier, p_trigger, p_scheduled_at, cutoff, started, clock_timestamp(),
            CASE WHEN failure IS NULL THEN 'skipped' ELSE 'failed' END, coalesce(failure, refusal))
    RETURNING r.run_id, r.outcome, r.deleted, r.batches, r.error_code, r.blocked
         INTO run_id, outcome, deleted, batches, error_code, blocked;
    RETURN;
  END IF;

  -- Halved for each of the tier's last ten runs that was cancelled, because a batch of the same size would be, too.
  SELECT greatest(p_batch_size >> least(count(*), 10)::integer, 1) INTO batch_size
    FROM (SELECT r.error_code FROM mcp_cleanup_runs r WHERE r.tier = p_tier AND r.run_id < this_run
           ORDER BY r.run_id DESC LIMIT 10) AS recent
   WHERE recent.error_code = '57014';
  BEGIN
    PERFORM set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '100', true);
    PERFORM mcp_tidy_cleanup(this_run, started - p_retention_days * interval '1 day');
  EXCEPTION
    WHEN lock_not_available THEN NULL; -- The next run tidies.
    WHEN query_canceled OR OTHERS OR assert_failure THEN
      -- The run goes on, and fails in the end.
      tidying_failure := SQLSTATE;
  END;
  is_any_listed := EXISTS (SELECT FROM mcp_cleanup_blocked);
  COMMIT;

  bulk_ms := least(0.02 * batch_size, 20);

  LOOP
    -- The lease: renews it and holds the row. Another run has closed the record when it took this one for dead.
    UPDATE mcp_cleanup_runs r SET renewed_at = clock_timestamp() WHERE r.run_id = this_run AND r.outcome = 'running';
    EXIT WHEN NOT FOUND;
    step := CASE WHEN cardinality(single) > 0 THEN 'single' WHEN is_retrying THEN 'retry' ELSE form END;
    is_last := false;
    is_locked := false;
    trouble := NULL;
    batch_deleted := 0;
    batch_found := 0;
    batch_watermark := watermark;
    batch_started := clock_timestamp();
    BEGIN
      -- A crash may undo a batch together with its record. The next run repeats it.
      PERFORM set_config('synchronous_commit', 'off', true);
      -- Half of PostgreSQL's deadlock_timeout: where two wait for each other, it is the run that gives way.
      -- In bulk: when a row is locked for longer than 10 ms, the batch is repeated in a form that skips locked rows.
      PERFORM set_config('lock_timeout', CASE
        WHEN step = 'single' THEN '100'
        WHEN step IN ('ranges', 'pages') AND NOT skip_locked THEN '10'
        ELSE least(greatest(p_time_budget_ms, 1), 500)::text END, true);
      IF step = 'single' THEN
        SELECT d.handled, d.deleted INTO batch_handled, batch_deleted
          FROM mcp_delete_sessions(single, expired_before, cutoff, ended_before,
                                   batch_started + bulk_ms * interval '1 millisecond') d;
        single := single[batch_handled + 1 :];
      ELSIF step = 'retry' THEN
        single := ARRAY(SELECT b.session_id FROM mcp_cleanup_blocked b WHERE b.tried_at < started
                         ORDER BY b.tried_at LIMIT batch_size);
        is_last := cardinality(single) = 0 OR batch_started >= retry_until;
      ELSIF step = 'counted' THEN
        -- FOR UPDATE checks the latest version of each row, so a session that was extended meanwhile is kept. SKIP LOCKED
        -- means that a run never waits for a row and never deadlocks.
        WITH victims AS MATERIALIZED (
          SELECT s.ctid AS row_id, s.expires_at
            FROM ONLY mcp_sessions s
           WHERE s.expires_at >= watermark AND s.expires_at < expired_before AND s.expires_at <= cutoff
             AND (s.ended_at IS NULL OR s.ended_at < ended_before)
             AND (NOT is_any_listed OR NOT EXISTS (SELECT FROM mcp_cleanup_blocked b WHERE b.session_id = s.session_id))
           ORDER BY s.expires_at
           LIMIT batch_size
             FOR UPDATE SKIP LOCKED
        ), gone AS (
          DELETE FROM ONLY mcp_sessions WHERE ctid = ANY (ARRAY(SELECT v.row_id FROM victims v)) RETURNING 1
        )
        SELECT count(*), coalesce(max(v.expires_at), watermark), (SELECT count(*) FROM gone),
               CASE WHEN is_first THEN count(DISTINCT (v.row_id::text::point)[0]) END,
               coalesce(range_width, greatest(max(v.expires_at) - min(v.expires_at) FILTER (WHERE isfinite(v.expires_at)),
                                              interval '1 second'))
          INTO batch_found, watermark, batch_deleted, batch_pages, range_width
          FROM victims v;
        is_last := batch_found < batch_size;
        IF is_first AND NOT is_last AND batch_deleted = batch_found THEN
          pages := pg_relation_size('mcp_sessions') / current_setting('block_size')::bigint;
          IF pages >= 500 AND 4 * batch_pages <= batch_found AND isfinite(watermark) THEN
            bulk := 'ranges';
          ELSIF pages >= 500 THEN
            -- A sample of random pages shows whether at least a tenth has expired.
            SELECT CASE WHEN 10 * count(*) FILTER (WHERE s.expires_at <= bulk_until) >= count(*) THEN 'pages' END
              INTO bulk FROM ONLY mcp_sessions s TABLESAMPLE SYSTEM (least(100.0 * 100 / pages, 100));
          END IF;
        END IF;
      ELSIF step = 'ranges' THEN
        range_end := least(watermark + range_width, bulk_until);
        batch_deleted := mcp_delete_range(watermark, range_end, batch_started + 2 * bulk_ms * interval '1 millisecond',
                                          is_any_listed);
      ELSE
        from_row := format('(%s,0)', next_page)::tid;
        to_row := format('(%s,0)', next_page + pages_a_batch)::tid;
        batch_deleted := mcp_delete_pages(from_row, to_row, bulk_until, skip_locked, is_any_listed);
      END IF;
      -- Deferred constraints are checked here. At COMMIT their failure would end the procedure.
      SET CONSTRAINTS ALL IMMEDIATE;
      UPDATE mcp_cleanup_runs r
         SET deleted = r.deleted + batch_deleted, batches = r.batches + (batch_deleted > 0)::integer
       WHERE r.run_id = this_run;
    EXCEPTION
      WHEN insufficient_resources OR operator_intervention OR system_error THEN failure := SQLSTATE;
      WHEN OTHERS OR assert_failure THEN
        trouble := SQLSTATE;
        is_locked := trouble = '55P03' AND step IN ('ranges', 'pages') AND NOT skip_locked;
        watermark := batch_watermark;
        is_last := false;
    END;

    IF step = 'single' AND trouble IS NOT NULL THEN
      failure := trouble;
    ELSIF step IN ('counted', 'pages') AND NOT is_locked AND (trouble IS NOT NULL OR batch_deleted < batch_found) THEN
      -- One of the sessions cannot be deleted, or none can.
      BEGIN
        PERFORM set_config('lock_timeout', '100', true);
        -- Fails when none can: without the right, in a read-only database, by a trigger for each statement.
        DELETE FROM ONLY mcp_sessions WHERE false;
        single := ARRAY(
          SELECT s.session_id FROM ONLY mcp_sessions s
           WHERE CASE WHEN step = 'counted' THEN s.expires_at >= batch_watermark AND s.expires_at < expired_before
                                             AND s.expires_at <= cutoff AND (s.ended_at IS NULL OR s.ended_at < ended_before)
                      ELSE s.ctid >= from_row AND s.ctid < to_row AND s.expires_at <= bulk_until END
             AND NOT EXISTS (SELECT FROM mcp_cleanup_blocked b WHERE b.session_id = s.session_id)
           ORDER BY s.expires_at
           LIMIT CASE WHEN step = 'counted' THEN batch_size END
             FOR UPDATE SKIP LOCKED);
        is_any_listed := true;
        is_last := false;
        IF trouble IS NULL THEN bulk := NULL; END IF;
      EXCEPTION
        WHEN lock_not_available THEN
          -- The whole table is locked. Wait until the deadline.
          IF clock_timestamp() >= deadline THEN failure := SQLSTATE; END IF;
        WHEN query_canceled OR OTHERS OR assert_failure THEN failure := SQLSTATE;
      END;
    END IF;
    COMMIT;

    IF is_last AND NOT is_retrying AND is_any_listed THEN
      is_retrying := true;
      is_last := false;
      -- What is blocked today was mostly blocked an hour ago, too.
      retry_until := clock_timestamp() + p_time_budget_ms * interval '0.1 milliseconds';
    END IF;
    ending := CASE
      WHEN failure IS NOT NULL THEN 'failed'
      WHEN is_last THEN 'completed'
      WHEN clock_timestamp() >= deadline THEN 'partial'
    END;
    EXIT WHEN ending IS NOT NULL;

    growth := bulk_ms / (extract(epoch FROM clock_timestamp() - batch_started) * 1000);
    IF step = 'counted' AND trouble IS NULL THEN
      is_first := false;
    ELSIF step = 'pages' THEN
      skip_locked := is_locked;
      IF NOT is_locked THEN
        next_page := next_page + pages_a_batch;
        pages_a_batch := greatest(pages_a_batch * CASE WHEN trouble IS NULL THEN least(greatest(growth, 0.5), 2) ELSE 0.25 END, 1);
      END IF;
    ELSIF step = 'ranges' AND (trouble IS NOT NULL OR growth <= 0.5) THEN
      -- The batch did not reach the end of its range. The next one is counted, and the one after takes a shorter range.
      range_width := greatest(range_width / 4, interval '1 millisecond');
      form := NULL;
    ELSIF step = 'ranges' THEN
      watermark := range_end;
      range_width := range_width * least(growth, 2);
    END IF;
    IF step IN ('single', 'retry') THEN CONTINUE; END IF;
    IF bulk = 'ranges' AND watermark >= bulk_until OR bulk = 'pages' AND next_page >= pages THEN
      -- Only the last two minutes are left.
      watermark := greatest(watermark, bulk_until);
      bulk := NULL;
    END IF;
    form := CASE WHEN form IS NULL THEN 'counted' ELSE coalesce(bulk, 'counted') END;
  END LOOP;

  IF tidying_failure IS NOT NULL AND ending IS NOT NULL THEN
    ending := 'failed';
    failure := coalesce(failure, tidying_failure);
  END IF;
  UPDATE mcp_cleanup_runs r
     SET outcome = ending, error_code = failure, finished_at = clock_timestamp(), (blocked, blocked_by) = (
           SELECT coalesce(sum(b.sessions), 0), string_agg(b.reason, ', ' ORDER BY b.sessions DESC, b.reason)
             FROM (SELECT l.reason, count(*) AS sessions FROM mcp_cleanup_blocked l GROUP BY l.reason) AS b)
   WHERE r.run_id = this_run AND r.outcome = 'running';
  COMMIT;
  -- One batch was enough, so the first entry of the index is a remaining session, and reading it is cheap.
  IF ending = 'completed' AND is_first THEN
    SELECT floor(least(greatest(extract(epoch FROM coalesce(min(s.expires_at), 'infinity')) * 1000, 0), 8640000000000000))
      INTO earliest_expiry FROM ONLY mcp_sessions s
     WHERE NOT EXISTS (SELECT FROM mcp_cleanup_blocked b WHERE b.session_id = s.session_id);
  END IF;
  SELECT r.run_id, r.outcome, r.deleted, r.batches, r.error_code, r.blocked, r.blocked_by
    INTO run_id, outcome, deleted, batches, error_code, blocked, blocked_by
    FROM mcp_cleanup_runs r WHERE r.run_id = this_run;
END
$$;
