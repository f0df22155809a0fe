-- One cleanup run: its record, and what comes before and after the deletions, which mcp_delete_in_batches does. Call it as a
-- single statement outside a transaction block, because it commits.
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
  -- Fixed at the start, so that the run ends. Never later than the database's clock, so that no live session is deleted.
  expired_before CONSTANT timestamptz := least(p_scheduled_at, started);
  cutoff CONSTANT timestamptz := expired_before - p_min_age_seconds * interval '1 second';
  batch_size integer;
  -- What mcp_delete_in_batches must know. Assumed to be true until it is known.
  is_any_listed boolean := true;
  may_be_kept boolean := true;
  -- The run, or why it must not begin, and the tier of the run that is alive.
  this_run bigint;
  refusal text;
  busy_tier text;
  ending text;
  -- Why the run fails: a SQLSTATE.
  failure text;
  tidying_failure text;
  was_one_batch boolean;
  swept bigint;
  -- When the first of what has outlived its request expires. NULL: none does.
  outlived_expiry timestamptz;
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
    is_any_listed := EXISTS (SELECT FROM mcp_cleanup_blocked);
    may_be_kept := mcp_may_be_kept();
    PERFORM mcp_tidy_cleanup(this_run, started - p_retention_days * interval '1 day');
  EXCEPTION
    WHEN lock_not_available THEN NULL; -- The next run tidies.
    WHEN query_canceled OR OTHERS OR assert_failure THEN
      -- The run goes on, and fails in the end.
      tidying_failure := SQLSTATE;
  END;
  COMMIT;

  CALL mcp_delete_in_batches(this_run, started, expired_before, cutoff, deadline, p_time_budget_ms, batch_size,
                             is_any_listed, may_be_kept, ending, failure, was_one_batch);
  -- What has outlived its request, after the sessions.
  WHILE ending IS NOT NULL LOOP
    BEGIN
      PERFORM set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '100', true);
      SELECT s.swept, s.earliest_expiry INTO swept, outlived_expiry FROM mcp_sweep_outlived(this_run, batch_size) s;
    EXCEPTION
      WHEN lock_not_available THEN
        -- The next run sweeps.
        swept := 0;
        outlived_expiry := started;
      -- A role that may not call it has none: its rights are of a version before.
      WHEN insufficient_privilege THEN swept := 0;
      WHEN query_canceled OR OTHERS OR assert_failure THEN
        swept := 0;
        tidying_failure := coalesce(tidying_failure, SQLSTATE);
    END;
    COMMIT;
    EXIT WHEN swept = 0 OR clock_timestamp() >= deadline;
  END LOOP;
  IF tidying_failure IS NOT NULL THEN
    ending := 'failed';
    failure := coalesce(failure, tidying_failure);
  END IF;
  PERFORM mcp_end_cleanup_run(this_run, ending, failure);
  COMMIT;
  -- One batch was enough, and nothing is listed. So the first entry of the index is a remaining session, and reading it is cheap.
  IF ending = 'completed' AND was_one_batch THEN
    SELECT floor(least(greatest(extract(epoch FROM coalesce(least(
             (SELECT min(s.expires_at) FROM ONLY mcp_sessions s), outlived_expiry), 'infinity')) * 1000, 0), 8640000000000000))
      INTO earliest_expiry;
  END IF;
  SELECT r.run_id, r.outcome, r.deleted, r.batches, r.error_code, r.blocked, r.blocked_by
    INTO run_id, outcome, deleted, batches, error_code, blocked, blocked_by
    FROM mcp_cleanup_runs r WHERE r.run_id = this_run;
END
$$;
