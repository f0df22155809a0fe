// Mutants of the routines that no test can kill.
import { CLOCK, type Equivalent } from "./equivalent.ts";

const FREE_NUMBER = "The number of a change must be free in its transaction, and says nothing else.";
const FIRST_ROW = "SELECT INTO takes the first row.";
const folding = { file: "drizzle/routines/mcp_fold_totals.sql" };
const opening = { file: "drizzle/routines/mcp_open_session.sql" };
const resuming = { file: "drizzle/routines/mcp_resume_session.sql" };
const deleting = { file: "drizzle/routines/mcp_delete_in_batches.sql" };
const counting = { file: "drizzle/routines/mcp_count_sessions.sql" };
const recounting = { file: "drizzle/routines/mcp_recount_sessions.sql" };

export const equivalentsOfSql: Equivalent[] = [
  {
    ...folding,
    line: "WHERE t.name = split.name AND t.shard = l.shard AND l.shard > k.shard",
    change: "AND l.shard > k.shard → nothing",
    reason:
      "PostgreSQL updates the row that is kept first, and leaves out a row that its own statement has updated.",
  },
  {
    ...opening,
    line: "AND (attempt = attempts OR (s.last_active > (SELECT coalesce(max(i.last_active), '-infinity') FROM idle i)) IS NOT TRUE)",
    change: "IS NOT TRUE → IS FALSE",
    reason: "A session of which no use is known is then ended by the last attempt, in the same call.",
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
  {
    ...resuming,
    line: "PERFORM set_config('synchronous_commit', 'off', true);",
    mutator: "call",
    reason:
      "A commit that waits for the disk takes longer, and nothing else can be seen of it without a crash.",
  },
  {
    ...resuming,
    line: "WHERE m.session_id = p_session_id AND m.principal = p_principal",
    change: "AND m.principal = p_principal → nothing",
    nth: 2,
    reason: "The statement before has found the session of this principal, and nothing changes a principal.",
  },
  {
    ...resuming,
    line: "WHERE m.session_id = p_session_id AND m.principal = p_principal",
    change: "AND m.principal = p_principal → nothing",
    nth: 3,
    reason: "The first statement has found the session of this principal, and nothing changes a principal.",
  },
  { ...counting, line: "ORDER BY e.expires_at LIMIT 1;", change: "1 → 2", reason: FIRST_ROW },
  {
    ...counting,
    line: "pages CONSTANT bigint := greatest(pg_relation_size('mcp_sessions') / current_setting('block_size')::bigint, 1);",
    mutator: "number",
    reason: "Pages are used when more than 100,000 sessions have expired, which need more than two.",
  },
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
];
