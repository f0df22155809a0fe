// Mutants of the routines that no test can kill.
import { CLOCK, type Equivalent } from "./equivalent.ts";

const FREE_NUMBER = "The number of a change must be free in its transaction, and says nothing else.";
const FIRST_ROW = "SELECT INTO takes the first row.";
const folding = { file: "drizzle/routines/mcp_fold_totals.sql" };
const resuming = { file: "drizzle/routines/mcp_resume_session.sql" };
const deleting = { file: "drizzle/routines/mcp_delete_in_batches.sql" };
const counting = { file: "drizzle/routines/mcp_count_sessions.sql" };
const recounting = { file: "drizzle/routines/mcp_recount_sessions.sql" };

const PAGES = "Pages are used when more than 100,000 sessions have expired, which need more than two.";
const TRIAL_ELSEWHERE = "A trial is rolled back, also in another table, and looks at ours after each change.";
const TRIAL_ALONE = "Nobody else knows the keys of a trial.";
const TRIAL_NUMBER = "Any number will do for a trial.";
const PAUSE = "It is how often a run looks whether the other one has ended.";
const PACE = "It says how large the next batch is, and any size is right.";
const SAMPLE = "It changes how many pages a sample has, and so by a little how good the estimate is.";
const AT_ONCE = "What changes an idle session meanwhile is another transaction, of another instant.";
const LOOK = "It saves a look for what was kept, of which there is nothing.";
const INSERTS = "Any number will do that no other insert of the transaction has.";
const NO_SURPLUS = "It saves the search for what is surplus, which finds none.";

/** They compare a time with that of the statement. */
const AT_THE_CLOCK: [routine: string, line: string, change: string][] = [
  [
    "answer_task",
    "WHERE own.task_hash = p_task_hash AND own.owner = p_owner AND own.expires_at > clock_timestamp() FOR UPDATE;",
    "> → >=",
  ],
  [
    "cancel_task",
    "WHERE t.task_hash = p_task_hash AND (p_owner IS NULL OR t.owner = p_owner) AND t.expires_at > clock_timestamp()",
    "> → >=",
  ],
  [
    "find_due_tasks",
    "WHERE t.status = 'working' AND t.leased_until <= asked_at AND t.expires_at > asked_at",
    "<= → <",
  ],
  [
    "find_due_tasks",
    "WHERE t.status = 'working' AND t.leased_until <= asked_at AND t.expires_at > asked_at",
    "> → >=",
  ],
  ["find_due_tasks", "WHERE t.status = 'working' AND t.expires_at > asked_at;", "> → >="],
  [
    "take_task",
    "WHERE own.task_hash = p_task_hash AND own.expires_at > clock_timestamp() FOR UPDATE;",
    "> → >=",
  ],
  ["take_task", "is_due := t.lease IS NULL OR t.leased_until <= clock_timestamp();", "<= → <"],
  [
    "replay_stream",
    "WHERE m.stream = p_stream AND m.session_id = p_session_id AND m.expires_at > clock_timestamp();",
    "> → >=",
  ],
  ["replay_stream", "AND q.expires_at > clock_timestamp()) AS is_open", "> → >="],
  [
    "replay_stream",
    "WHEN s.detached_at < clock_timestamp() - p_grace_seconds * interval '1 second' THEN 'lost'",
    "< → <=",
  ],
  [
    "append_events",
    "WHERE m.session_id = p_session_id AND m.ended_at IS NULL AND m.expires_at > clock_timestamp()",
    "> → >=",
  ],
  [
    "answer_question",
    "WHERE q.question = p_question AND q.session_id = p_session_id AND q.expires_at > clock_timestamp();",
    "> → >=",
  ],
  [
    "answer_question",
    "SELECT * INTO s FROM mcp_streams m WHERE m.stream = stream AND m.expires_at > clock_timestamp() FOR UPDATE;",
    "> → >=",
  ],
  [
    "end_handle",
    "WHERE h.handle_hash = p_handle_hash AND h.owner = coalesce(p_owner, h.owner) AND h.expires_at > clock_timestamp();",
    "> → >=",
  ],
  [
    "change_handle",
    "WHERE h.handle_hash = p_handle_hash AND h.owner = p_owner AND h.expires_at > clock_timestamp()",
    "> → >=",
  ],
  [
    "read_handle",
    "WHERE h.handle_hash = p_handle_hash AND h.owner = p_owner AND h.expires_at > clock_timestamp()",
    "> → >=",
  ],
  [
    "delete_range",
    "WHERE s.expires_at >= p_from AND s.expires_at <= p_to AND clock_timestamp() < p_stop_at",
    "< → <=",
  ],
];

/** In the order of the routines' names: what no test can tell apart, and why. */
const ALIKE: [routine: string, line: string, change: string, reason: string][] = [
  [
    "begin_cleanup_run",
    "PERFORM pg_advisory_xact_lock('mcp_sessions'::regclass::oid::integer, 1);",
    "1 → 2",
    "Any key will do that all runs have.",
  ],
  [
    "begin_cleanup_run",
    "PERFORM pg_advisory_xact_lock('mcp_sessions'::regclass::oid::integer, 1);",
    "1 → 0",
    "Any key will do that all runs have.",
  ],
  [
    "begin_cleanup_run",
    "FOR other IN SELECT r.run_id, r.tier FROM mcp_cleanup_runs r WHERE r.outcome = 'running' LOOP",
    "r.outcome = 'running' → true",
    "A record that has ended is neither closed nor busy.",
  ],
  ["begin_cleanup_run", "AND (dead.renewed_at > clock_timestamp() - lease", "> → >=", CLOCK],
  [
    "begin_cleanup_run",
    "IF NOT FOUND AND EXISTS (",
    "NOT FOUND AND → nothing",
    "A record that was closed is not running.",
  ],
  [
    "choose_bulk",
    "FROM ONLY mcp_sessions s TABLESAMPLE SYSTEM (least(100.0 * 100 / pages, 100)));",
    "100 → 101",
    SAMPLE,
  ],
  [
    "choose_bulk",
    "FROM ONLY mcp_sessions s TABLESAMPLE SYSTEM (least(100.0 * 100 / pages, 100)));",
    "100.0 → 101",
    SAMPLE,
  ],
  ["cleanup_sessions", "OR clock_timestamp() >= deadline;", ">= → >", CLOCK],
  ["cleanup_sessions", "EXIT WHEN swept = 0 OR clock_timestamp() >= deadline;", ">= → >", CLOCK],
  ["cleanup_sessions", "PERFORM pg_sleep(0.02);", "PERFORM pg_sleep(0.02); → NULL;", PAUSE],
  ["cleanup_sessions", "PERFORM pg_sleep(0.02);", "0.02 → 1.02", PAUSE],
  ["cleanup_sessions", "PERFORM pg_sleep(0.02);", "0.02 → 0", PAUSE],
  [
    "cleanup_sessions",
    "SELECT greatest(p_batch_size >> least(count(*), 10)::integer, 1) INTO batch_size",
    "10 → 11",
    "There are ten of them at most.",
  ],
  [
    "count_expired",
    "FROM generate_series(floor(extract(epoch FROM counted_until) / 3600)::integer,",
    "3600 → 3601",
    "It looks at hours before, too, in which nothing can expire any more.",
  ],
  [
    "count_expired",
    "LIMIT exact_up_to + 1) AS e);",
    "1 → 2",
    "One more than are counted exactly is enough, and so are two.",
  ],
  [
    "count_expired",
    "SELECT floor(extract(epoch FROM s.expires_at) / 3600)::integer, round(count(*) * 100 / share)",
    "100 → 101",
    "It makes an estimate from random pages a hundredth larger.",
  ],
  [
    "count_expired",
    "pages CONSTANT bigint := greatest(pg_relation_size('mcp_sessions') / current_setting('block_size')::bigint, 1);",
    "1 → 0",
    PAGES,
  ],
  [
    "count_expired",
    "pages CONSTANT bigint := greatest(pg_relation_size('mcp_sessions') / current_setting('block_size')::bigint, 1);",
    "1 → 2",
    PAGES,
  ],
  ["count_expired", "sampled_pages CONSTANT integer := 500;", "500 → 501", SAMPLE],
  [
    "count_expired",
    "share CONSTANT double precision := least(100.0 * sampled_pages / pages, 100);",
    "100 → 101",
    PAGES,
  ],
  [
    "count_expired",
    "share CONSTANT double precision := least(100.0 * sampled_pages / pages, 100);",
    "100.0 → 101",
    SAMPLE,
  ],
  [
    "count_session_rows",
    "FROM mcp_session_changes c WHERE c.transaction_id = this_transaction AND c.change_number > 0",
    "> → >=",
    "No row has the number 0.",
  ],
  [
    "count_session_rows",
    "IF random() < 0.001 AND current_setting('transaction_isolation') = 'read committed' THEN",
    "< → <=",
    "random() is never exactly this, as far as anyone will see.",
  ],
  ["count_session_rows", "ORDER BY c.change_number DESC LIMIT 1;", "1 → 2", FIRST_ROW],
  [
    "count_session_rows",
    "insert_number CONSTANT integer := -1 - floor(random() * 2147483647)::integer;",
    "1 → 0",
    INSERTS,
  ],
  [
    "count_session_rows",
    "insert_number CONSTANT integer := -1 - floor(random() * 2147483647)::integer;",
    "1 → 2",
    INSERTS,
  ],
  [
    "count_session_rows",
    "insert_number CONSTANT integer := -1 - floor(random() * 2147483647)::integer;",
    "2147483647 → 2147483648",
    INSERTS,
  ],
  [
    "count_session_rows",
    "WHERE c.transaction_id = this_transaction AND c.change_number = last_number AND c.delete_depth > 0;",
    "AND c.change_number = last_number → nothing",
    "Of a transaction only the last row is of a delete that goes on.",
  ],
  [
    "count_sessions",
    "FROM ONLY mcp_sessions s TABLESAMPLE SYSTEM (least(100.0 * sampled_pages / pages, 100));",
    "100 → 101",
    PAGES,
  ],
  [
    "count_sessions",
    "FROM ONLY mcp_sessions s TABLESAMPLE SYSTEM (least(100.0 * sampled_pages / pages, 100));",
    "100.0 → 101",
    SAMPLE,
  ],
  [
    "count_sessions",
    "WHERE s.expires_at <= now() ORDER BY s.expires_at LIMIT exact_up_to) AS e",
    "s.expires_at <= now() → true",
    "What has not expired is not overdue either.",
  ],
  [
    "count_sessions",
    "expired := least(greatest(coalesce(expired_share, 0) * total, expired_at_least), total);",
    "0 → 1",
    "A sample of hundreds of pages has rows.",
  ],
  [
    "count_sessions",
    "pages CONSTANT bigint := greatest(pg_relation_size('mcp_sessions') / current_setting('block_size')::bigint, 1);",
    "1 → 0",
    PAGES,
  ],
  [
    "count_sessions",
    "pages CONSTANT bigint := greatest(pg_relation_size('mcp_sessions') / current_setting('block_size')::bigint, 1);",
    "1 → 2",
    PAGES,
  ],
  ["count_sessions", "sampled_pages CONSTANT integer := 500;", "500 → 501", SAMPLE],
  ["delete_in_batches", "counted_ms CONSTANT double precision := gives_way_ms / 2;", "2 → 3", PACE],
  [
    "delete_in_batches",
    "least(500, extract(epoch FROM current_setting('deadlock_timeout')::interval) * 500);",
    "500 → 501",
    "With PostgreSQL's own deadlock_timeout both are 500.",
  ],
  [
    "delete_in_batches",
    "is_last := cardinality(single) = 0 OR batch_started >= retry_until;",
    ">= → >",
    CLOCK,
  ],
  [
    "delete_in_batches",
    "IF clock_timestamp() >= p_deadline THEN failure := SQLSTATE; END IF;",
    ">= → >",
    CLOCK,
  ],
  ["delete_in_batches", "WHEN clock_timestamp() >= p_deadline THEN 'partial'", ">= → >", CLOCK],
  [
    "delete_in_batches",
    "growth := bulk_ms / (extract(epoch FROM clock_timestamp() - batch_started) * 1000);",
    "1000 → 1001",
    PACE,
  ],
  [
    "delete_in_batches",
    "batch_limit := least(greatest(batch_limit * least(growth * counted_ms / bulk_ms, 2), 1), p_batch_size);",
    "2 → 3",
    PACE,
  ],
  [
    "delete_in_batches",
    "pages_a_batch := greatest(pages_a_batch * CASE WHEN trouble IS NULL THEN least(greatest(growth, 0.5), 2) ELSE 0.25 END, 1);",
    "2 → 3",
    PACE,
  ],
  [
    "delete_in_batches",
    "ELSIF step = 'ranges' AND (trouble IS NOT NULL OR growth <= 0.5) THEN",
    "<= → <",
    PACE,
  ],
  [
    "delete_in_batches",
    "ELSIF step = 'ranges' AND (trouble IS NOT NULL OR growth <= 0.5) THEN",
    "0.5 → 1.5",
    PACE,
  ],
  ["delete_in_batches", "range_width := range_width * least(growth, 2);", "2 → 3", PACE],
  [
    "delete_in_batches",
    "IF bulk = 'ranges' AND watermark >= bulk_until OR bulk = 'pages' AND next_page >= pages THEN",
    "bulk = 'ranges' AND → nothing",
    "By pages the watermark stays before that time; without a form it is there already.",
  ],
  [
    "delete_oldest",
    "AND (s.ended_at IS NULL OR s.ended_at < p_ended_before OR s.ended_at > clock_timestamp())",
    "> → >=",
    CLOCK,
  ],
  ["delete_oldest", "IF p_may_be_kept THEN", "p_may_be_kept → true", LOOK],
  [
    "delete_oldest",
    "coalesce(array_agg(v.row_id), '{}'), array_agg(v.session_id) FILTER (WHERE p_may_be_kept)",
    "p_may_be_kept → true",
    LOOK,
  ],
  [
    "delete_sessions",
    "AND (s.ended_at IS NULL OR s.ended_at < p_ended_before OR s.ended_at > clock_timestamp())",
    "> → >=",
    CLOCK,
  ],
  ["delete_sessions", "EXIT WHEN handled > 0 AND clock_timestamp() >= p_until;", ">= → >", CLOCK],
  [
    "find_expired",
    "AND (s.ended_at IS NULL OR s.ended_at < p_ended_before OR s.ended_at > clock_timestamp())",
    "> → >=",
    CLOCK,
  ],
  ["may_be_kept", "AND t.tgtype & for_delete > 0", "0 → 1", "The bit is eight or nothing."],
  ["open_session", "AND s.ended_at IS NULL AND s.expires_at > now()", "> → >=", AT_ONCE],
  ["open_session", "IF cardinality(surplus) > 0 THEN", "> → >=", "Of none it deletes none."],
  [
    "open_session",
    "IF cardinality(surplus) > 0 THEN",
    "cardinality(surplus) > 0 → true",
    "Of none it deletes none.",
  ],
  [
    "open_session",
    "clock_timestamp() + interval '100 milliseconds') d;",
    "100 → 101",
    "A millisecond more of the time that an opening may take.",
  ],
  [
    "resume_session",
    "IF NOT FOUND THEN",
    "NOT FOUND → true",
    "The row that was updated is found again, as it is.",
  ],
  [
    "try_session",
    "shortly_after CONSTANT timestamptz := now() + interval '1 microsecond';",
    "1 → 2",
    TRIAL_NUMBER,
  ],
  [
    "try_session",
    "document CONSTANT jsonb := CASE WHEN p_whole THEN",
    "p_whole → true",
    "It makes a document of which nothing is made.",
  ],
  [
    "try_session",
    "(SELECT to_jsonb(string_agg(md5(random()::text), '')) FROM generate_series(1, 128)) END;",
    "1 → 2",
    TRIAL_NUMBER,
  ],
  [
    "try_session",
    "(SELECT to_jsonb(string_agg(md5(random()::text), '')) FROM generate_series(1, 128)) END;",
    "1 → 0",
    TRIAL_NUMBER,
  ],
  [
    "try_session",
    "(SELECT to_jsonb(string_agg(md5(random()::text), '')) FROM generate_series(1, 128)) END;",
    "128 → 129",
    TRIAL_NUMBER,
  ],
  ["try_session", "PERFORM mcp_merge_session_changes(1);", "1 → 2", TRIAL_NUMBER],
  ["try_session", "PERFORM mcp_merge_session_changes(1);", "1 → 0", TRIAL_NUMBER],
  [
    "try_session",
    "SET deleted = r.deleted + 1, batches = r.batches + 1, outcome = 'completed', finished_at = clock_timestamp()",
    "1 → 2",
    TRIAL_NUMBER,
  ],
  [
    "try_session",
    "SET deleted = r.deleted + 1, batches = r.batches + 1, outcome = 'completed', finished_at = clock_timestamp()",
    "1 → 0",
    TRIAL_NUMBER,
  ],
  [
    "try_session",
    "60 + extract(epoch FROM clock_timestamp() - now())::integer, NULL,",
    "60 → 61",
    TRIAL_NUMBER,
  ],
  ["try_session", "CASE WHEN NOT p_whole THEN 1000 END);", "1000 → 1001", TRIAL_NUMBER],
  [
    "try_session",
    "UPDATE ONLY mcp_sessions SET ended_at = now(), expires_at = now(), end_reason = 'evicted' WHERE false;",
    "ONLY → nothing",
    TRIAL_ELSEWHERE,
  ],
  ["try_session", "FROM ONLY mcp_sessions s", "ONLY → nothing", TRIAL_ELSEWHERE],
  ["try_session", "UPDATE ONLY mcp_sessions s", "ONLY → nothing", TRIAL_ELSEWHERE],
  [
    "try_session",
    "UPDATE ONLY mcp_sessions s SET log_level = level WHERE s.session_id = this_key;",
    "ONLY → nothing",
    TRIAL_ELSEWHERE,
  ],
  ["try_session", "UPDATE ONLY mcp_sessions s SET log_level = 'warning'", "ONLY → nothing", TRIAL_ELSEWHERE],
  [
    "try_session",
    "UPDATE ONLY mcp_sessions s SET ended_at = shortly_after, expires_at = shortly_after, end_reason = reason",
    "ONLY → nothing",
    TRIAL_ELSEWHERE,
  ],
  ["try_session", "SELECT s.ctid INTO row_id FROM ONLY mcp_sessions s", "ONLY → nothing", TRIAL_ELSEWHERE],
  [
    "try_session",
    "DELETE FROM ONLY mcp_sessions s WHERE s.ctid = ANY (ARRAY[row_id]);",
    "ONLY → nothing",
    TRIAL_ELSEWHERE,
  ],
  [
    "try_session",
    "IF FOUND AND column_name IS NULL AND p_whole THEN",
    "FOUND AND → nothing",
    "What the look has not found the use does not find either.",
  ],
  [
    "try_session",
    "PERFORM FROM mcp_resume_session(this_key, owner, 86400, NULL, 60);",
    "86400 → 86401",
    TRIAL_NUMBER,
  ],
  [
    "try_session",
    "PERFORM FROM mcp_resume_session(this_key, owner, 86400, NULL, 60);",
    "60 → 61",
    TRIAL_NUMBER,
  ],
  [
    "try_session",
    "PERFORM FROM mcp_resume_session(this_key, owner, 86400, NULL, 60);",
    "60 → 0",
    TRIAL_NUMBER,
  ],
  [
    "try_session",
    "AND s.expires_at > clock_timestamp()",
    "AND s.expires_at > clock_timestamp() → nothing",
    "The use before has extended it, and was seen to.",
  ],
  ["try_session", "AND s.expires_at > clock_timestamp()", "> → >=", CLOCK],
  ["try_session", "AND s.expires_at > clock_timestamp();", "> → >=", CLOCK],
  ["try_session", "FOR NO KEY UPDATE)", "FOR NO KEY UPDATE → nothing", TRIAL_ALONE],
  [
    "try_session",
    "WHERE s.session_id = this_key AND s.expires_at <= now() + interval '1 second' FOR UPDATE SKIP LOCKED;",
    "FOR UPDATE SKIP LOCKED → nothing",
    TRIAL_ALONE,
  ],
  [
    "try_session",
    "WHERE s.session_id = this_key AND s.expires_at <= now() + interval '1 second' FOR UPDATE SKIP LOCKED;",
    "SKIP LOCKED → nothing",
    TRIAL_ALONE,
  ],
  [
    "try_session",
    "reason := CASE this_key WHEN keys[1] THEN 'client' ELSE 'evicted' END;",
    "1 → 2",
    "Each reason is tried once, whichever comes first.",
  ],
];

export const equivalentsOfSql: Equivalent[] = [
  {
    file: "drizzle/routines/mcp_cleanup_sessions.sql",
    line: "COMMIT;",
    nth: 2,
    reason: "The one before has ended the transaction, and a pause needs none.",
  },
  {
    file: "drizzle/routines/mcp_cleanup_sessions.sql",
    line: "COMMIT;",
    nth: 5,
    reason: "The end of the call commits, too.",
  },
  {
    ...folding,
    line: "WHERE t.name = split.name AND t.shard = l.shard AND l.shard > k.shard",
    change: "AND l.shard > k.shard → nothing",
    reason:
      "PostgreSQL updates the row that is kept first, and leaves out a row that its own statement has updated.",
  },
  {
    ...folding,
    line: "WHERE t.name = split.name AND t.shard = l.shard AND l.shard > k.shard",
    change: "> → >=",
    reason:
      "PostgreSQL updates the row that is kept first, and leaves out a row that its own statement has updated.",
  },
  {
    ...deleting,
    line: "patience_ms CONSTANT integer := greatest(least(gives_way_ms, p_time_budget_ms), 1);",
    change: "1 → 2",
    reason: "The least that PostgreSQL waits for a lock is then two milliseconds; only 0 would be for ever.",
  },
  {
    ...resuming,
    line: "IF (s.last_active > due_before AND s.last_active <= clock_timestamp() AND s.last_active <> s.created_at) IS NOT TRUE THEN",
    change: "<= → <",
    reason: CLOCK,
  },
  {
    ...resuming,
    line: "AND (m.last_active > due_before AND m.last_active <= clock_timestamp() AND m.last_active <> m.created_at) IS NOT TRUE",
    change: "<= → <",
    reason: CLOCK,
  },
  {
    ...resuming,
    line: "AND m.ended_at IS NULL AND m.expires_at > clock_timestamp()",
    change: "> → >=",
    reason: CLOCK,
  },
  {
    ...resuming,
    line: "AND m.ended_at IS NULL AND m.expires_at > clock_timestamp();",
    change: "> → >=",
    reason: CLOCK,
  },
  { ...counting, line: "ORDER BY e.expires_at LIMIT 1;", change: "1 → 2", reason: FIRST_ROW },
  {
    ...recounting,
    line: "PERFORM pg_advisory_xact_lock(hashtext('mcp_recount_sessions'), 0);",
    change: "0 → 1",
    reason: "Any key will do that is the same for every count.",
  },
  {
    ...recounting,
    line: "SELECT pg_current_xact_id()::text::bigint, coalesce(max(c.change_number), 0) + 1, error",
    change: "0 → 1",
    reason: FREE_NUMBER,
  },
  {
    ...recounting,
    line: "SELECT pg_current_xact_id()::text::bigint, coalesce(max(c.change_number), 0) + 1, error",
    change: "1 → 2",
    reason: FREE_NUMBER,
  },
  {
    ...recounting,
    line: "FROM mcp_session_changes c WHERE c.transaction_id = pg_current_xact_id()::text::bigint;",
    mutator: "operand",
    reason: FREE_NUMBER,
  },
  ...ALIKE.map(([routine, line, change, reason]) => ({
    file: `drizzle/routines/mcp_${routine}.sql`,
    line,
    change,
    reason,
  })),
  ...AT_THE_CLOCK.map(([routine, line, change]) => ({
    file: `drizzle/routines/mcp_${routine}.sql`,
    line,
    change,
    reason: CLOCK,
  })),
  {
    file: "drizzle/routines/mcp_make_handle.sql",
    line: "IF (SELECT count(*) FROM (",
    change:
      "(SELECT count(*) FROM ( SELECT FROM mcp_handles o WHERE o.owner = p_owner LIMIT p_max_handles + 1) AS own) > p_max_handles → true",
    reason: NO_SURPLUS,
  },
  {
    file: "drizzle/routines/mcp_make_handle.sql",
    line: "SELECT FROM mcp_handles o WHERE o.owner = p_owner LIMIT p_max_handles + 1) AS own) > p_max_handles THEN",
    change: "> → >=",
    reason: NO_SURPLUS,
  },
  {
    file: "drizzle/routines/mcp_make_handle.sql",
    line: "SELECT FROM mcp_handles o WHERE o.owner = p_owner LIMIT p_max_handles + 1) AS own) > p_max_handles THEN",
    change: "1 → 2",
    reason: NO_SURPLUS,
  },
  {
    file: "drizzle/routines/mcp_make_handle.sql",
    line: "SELECT FROM mcp_handles o WHERE o.owner = p_owner LIMIT p_max_handles + 1) AS own) > p_max_handles THEN",
    change: "o.owner = p_owner → true",
    reason: NO_SURPLUS,
  },
  {
    file: "drizzle/routines/mcp_create_task.sql",
    line: "IF surplus > 0 THEN",
    change: "> → >=",
    reason: NO_SURPLUS,
  },
  {
    file: "drizzle/routines/mcp_fold_totals.sql",
    line: "GROUP BY placed.name, placed.hours, placed.hour / placed.hours HAVING count(*) > 1",
    change: "count(*) > 1 → true",
    reason: "A row that is alone is folded into itself.",
  },
  {
    file: "drizzle/routines/mcp_fold_totals.sql",
    line: "GROUP BY placed.name, placed.hours, placed.hour / placed.hours HAVING count(*) > 1",
    change: "> → >=",
    reason: "A row that is alone is folded into itself.",
  },
  {
    file: "drizzle/routines/mcp_fold_totals.sql",
    line: "GROUP BY placed.name, placed.hours, placed.hour / placed.hours HAVING count(*) > 1",
    change: "1 → 0",
    reason: "A row that is alone is folded into itself.",
  },
  {
    file: "drizzle/routines/mcp_ask_task.sql",
    line: "RETURN FOUND OR EXISTS (",
    change: "FOUND OR → nothing",
    reason: "The row that was changed is found by what follows, too.",
  },
  {
    file: "drizzle/routines/mcp_replay_stream.sql",
    line: "IF p_may_be_new AND NOT EXISTS (SELECT FROM mcp_streams own WHERE own.stream = p_stream) THEN",
    change: "AND NOT EXISTS (SELECT FROM mcp_streams own WHERE own.stream = p_stream) → nothing",
    reason: "ON CONFLICT leaves a stream that is there as it is.",
  },
  {
    file: "drizzle/routines/mcp_take_task.sql",
    line: "is_due := t.lease IS NULL OR t.leased_until <= clock_timestamp();",
    change: "t.lease IS NULL OR → nothing",
    reason: "Without a lease the claim is not another one's either: it is compared with NULL.",
  },
];
