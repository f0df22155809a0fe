-- Deletes what a cleanup run may delete, batch after batch. Each batch is a transaction that also counts what it deleted.
--
-- A run finds expired sessions by the index of expiry times, oldest first, a counted batch at a time. When a larger table
-- has more than one batch of them, the run deletes in bulk, without locking each row first, some milliseconds at a time:
-- by ranges of expiry times, when sessions that expire together are stored together; otherwise, when many have expired,
-- by ranges of pages, so that each page is read once.
--
-- A session that cannot be deleted does not stop the others. When a batch fails, or does not delete all that it has found,
-- mcp_delete_sessions finds which, and lists it in mcp_cleanup_blocked. Batches leave out what is listed. At its end a run
-- tries the listed sessions again.
CREATE OR REPLACE PROCEDURE mcp_delete_in_batches(
  p_run_id bigint,
  p_started timestamptz,
  -- The conditions of a run: mcp_cleanup_sessions.
  p_expired_before timestamptz,
  p_cutoff timestamptz,
  -- When to stop, and the time that there is in all.
  p_deadline timestamptz,
  p_time_budget_ms integer,
  p_batch_size integer,
  -- Whether mcp_cleanup_blocked lists any, so that batches must leave them out.
  p_is_any_listed boolean,
  -- Whether a deletion can succeed and the session stay: mcp_may_be_kept. Only counted batches notice that.
  p_may_be_kept boolean,
  -- `completed`, `partial` or `failed`. NULL when another run has taken this one for dead.
  INOUT ending text,
  -- Why it failed: a SQLSTATE.
  INOUT failure text,
  -- Whether there was not even one full batch to delete.
  INOUT is_first boolean
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
  -- An ended session is kept for two minutes. A client whose request to end it got no answer repeats the request, and must
  -- find the session ended by itself. An ended_at in the future is another program's, and keeps nothing.
  ended_before CONSTANT timestamptz := p_started - interval '2 minutes';
  -- A session that expired by then was not ended in the last two minutes, because ending it sets expires_at, too. So bulk
  -- deletes compare expires_at only.
  bulk_until CONSTANT timestamptz := least(p_cutoff, ended_before) - interval '1 microsecond';
  -- PostgreSQL looks for a deadlock after deadlock_timeout, a second by default, and ends the statement that looks first. The
  -- run gives up a lock that it waits for in half of that: so it is the run that gives way, and not another program.
  gives_way_ms CONSTANT double precision :=
    least(500, extract(epoch FROM current_setting('deadlock_timeout')::interval) * 500);
  patience_ms CONSTANT integer := greatest(least(gives_way_ms, p_time_budget_ms), 1);
  -- A counted batch that takes longer is followed by a smaller one. It holds its locks all the while: a trigger, or a foreign key
  -- that cascades without an index, can take milliseconds for each session.
  counted_ms CONSTANT double precision := gives_way_ms / 2;
  batch_limit integer := p_batch_size;
  -- The target time of a bulk batch. One by ranges stops at twice this time.
  bulk_ms CONSTANT double precision := least(0.02 * p_batch_size, 20);
  -- The factor for the size of the next bulk batch.
  growth double precision;
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
  skip_locked boolean := false;
  -- Of a batch that has failed: the sessions that mcp_delete_sessions still has to go through.
  single text[] := '{}';
  is_any_listed boolean := p_is_any_listed;
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
BEGIN
  is_first := true;
  LOOP
    -- The lease: renews it and holds the row. Another run has closed the record when it took this one for dead.
    UPDATE mcp_cleanup_runs r SET renewed_at = clock_timestamp() WHERE r.run_id = p_run_id AND r.outcome = 'running';
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
      -- In bulk: when a row is locked for longer than 10 ms, the batch is repeated in a form that skips locked rows.
      PERFORM set_config('lock_timeout', CASE
        WHEN step = 'single' THEN least(patience_ms, 100)
        WHEN step IN ('ranges', 'pages') AND NOT skip_locked THEN least(patience_ms, 10)
        ELSE patience_ms END::text, true);
      IF step = 'single' THEN
        SELECT d.handled, d.deleted INTO batch_handled, batch_deleted
          FROM mcp_delete_sessions(single, p_expired_before, p_cutoff, ended_before,
                                   batch_started + bulk_ms * interval '1 millisecond') d;
        single := single[batch_handled + 1 :];
      ELSIF step = 'retry' THEN
        single := ARRAY(SELECT b.session_id FROM mcp_cleanup_blocked b WHERE b.tried_at < p_started
                         ORDER BY b.tried_at LIMIT p_batch_size);
        is_last := cardinality(single) = 0 OR batch_started >= retry_until;
      ELSIF step = 'counted' THEN
        SELECT d.found_rows, d.deleted, d.found_pages, coalesce(d.last_expiry, watermark),
               coalesce(range_width, greatest(d.last_expiry - d.first_expiry, interval '1 second'))
          INTO batch_found, batch_deleted, batch_pages, watermark, range_width
          FROM mcp_delete_oldest(watermark, p_expired_before, p_cutoff, ended_before, batch_limit, is_any_listed,
                                 p_may_be_kept) d;
        is_last := batch_found < batch_limit;
        IF is_first AND NOT is_last AND batch_deleted = batch_found AND NOT p_may_be_kept THEN
          bulk := mcp_choose_bulk(batch_found, batch_pages, watermark, bulk_until);
          pages := pg_relation_size('mcp_sessions') / current_setting('block_size')::bigint;
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
       WHERE r.run_id = p_run_id;
    EXCEPTION
      WHEN insufficient_resources OR operator_intervention OR system_error THEN failure := SQLSTATE;
      WHEN OTHERS OR assert_failure THEN
        trouble := SQLSTATE;
        is_locked := trouble = '55P03' AND step = 'pages' AND NOT skip_locked;
        watermark := batch_watermark;
        is_last := false;
    END;

    IF step = 'single' AND trouble IS NOT NULL THEN
      failure := trouble;
    ELSIF step IN ('counted', 'pages') AND NOT is_locked AND (trouble IS NOT NULL OR batch_deleted < batch_found) THEN
      -- One of the sessions cannot be deleted, or none can.
      BEGIN
        PERFORM set_config('lock_timeout', least(patience_ms, 100)::text, true);
        -- Fails when none can: without the right, in a read-only database, by a trigger for each statement.
        DELETE FROM ONLY mcp_sessions WHERE false;
        single := CASE step
          WHEN 'counted'
            THEN mcp_find_expired(batch_watermark, p_expired_before, p_cutoff, ended_before, batch_limit, NULL, NULL)
          ELSE mcp_find_expired('-infinity', p_expired_before, bulk_until, ended_before, NULL, from_row, to_row) END;
        is_any_listed := true;
        is_last := false;
      EXCEPTION
        WHEN lock_not_available THEN
          -- The whole table is locked. Wait until the deadline.
          IF clock_timestamp() >= p_deadline THEN failure := SQLSTATE; END IF;
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
      WHEN clock_timestamp() >= p_deadline THEN 'partial'
    END;
    EXIT WHEN ending IS NOT NULL;

    growth := bulk_ms / (extract(epoch FROM clock_timestamp() - batch_started) * 1000);
    IF step = 'counted' AND trouble IS NULL THEN
      is_first := false;
      batch_limit := least(greatest(batch_limit * least(growth * counted_ms / bulk_ms, 2), 1), p_batch_size);
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
    IF bulk = 'ranges' AND watermark >= bulk_until OR bulk = 'pages' AND next_page >= pages THEN
      -- Only the last two minutes are left.
      watermark := greatest(watermark, bulk_until);
      bulk := NULL;
    END IF;
    form := CASE WHEN form IS NULL THEN 'counted' ELSE coalesce(bulk, 'counted') END;
  END LOOP;
END
$$;
