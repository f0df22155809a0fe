// Handles and tasks as rows, for tests of what operators see of them.
import type { TestDatabase } from "./worker.ts";

/** What switches both on. */
export const KEPT = { MCP_HANDLES: "true", MCP_TASKS: "true" };

interface Rows {
  count?: number;
  /** SQL. */
  expiresAt?: string;
}

const LATER = "now() + interval '1 hour'";
const key = (table: string) => `encode(sha256(convert_to('${table}' || $1 || $2 || i, 'UTF8')), 'hex')`;

/** Adds handles of a principal. @returns their keys. */
export async function addHandles(
  { query }: TestDatabase,
  principal: string,
  {
    count = 1,
    kind = "cart",
    value = "{}",
    expiresAt = LATER,
  }: Rows & { kind?: string; value?: string } = {},
): Promise<string[]> {
  const rows = await query(
    `INSERT INTO mcp_handles (handle_hash, owner, kind, value, created_at, last_used_at, expires_at)
     SELECT ${key("handle")}, $1, $2, $4, now(), now(), ${expiresAt} FROM generate_series(1, $3::int) i RETURNING handle_hash`,
    [principal, kind, count, value],
  );
  return rows.map((row) => String(row["handle_hash"])).toSorted();
}

/** Adds tasks of a principal. @returns their keys. */
export async function addTasks(
  { query }: TestDatabase,
  principal: string,
  {
    count = 1,
    tool = "report",
    status = "working",
    expiresAt = LATER,
    leasedUntil = "now() + interval '1 hour'",
  }: Rows & { tool?: string; status?: string; leasedUntil?: string } = {},
): Promise<string[]> {
  const isAlive = status === "working" || status === "input_required";
  const rows = await query(
    `INSERT INTO mcp_tasks (task_hash, owner, tool, status, call, result, lease, leased_until, attempt, max_attempts, on_lost, poll_ms, expires_at)
     SELECT ${key(`task ${status}`)}, $1, $2, $4, ${isAlive ? "'{}'" : "NULL"}, ${isAlive ? "NULL" : "'{}'"}, 'somebody',
            ${status === "working" ? leasedUntil : "NULL"}, 1, 3, 'retry', 1000, ${expiresAt}
       FROM generate_series(1, $3::int) i RETURNING task_hash`,
    [principal, tool, count, status],
  );
  return rows.map((row) => String(row["task_hash"])).toSorted();
}
