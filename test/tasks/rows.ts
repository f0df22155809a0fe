// Rows of tasks as other events have left them, without a runner.
import type { TestDatabase } from "../support/worker.ts";

export interface Row {
  status: string;
  lease: string | null;
  attempt: number;
  result: unknown;
  /** Whether its lease, or the time to begin it, has run out. */
  isDue: boolean | null;
}

export interface NewRow {
  status?: string;
  /** Whose lease it has; null: nobody's. */
  lease?: string | null;
  /** When it is due, in seconds from now; null: never. */
  dueIn?: number | null;
  attempt?: number;
  maxAttempts?: number;
  onLost?: "retry" | "fail";
  /** In seconds from now. */
  expiresIn?: number;
  owner?: string;
}

/** Adds tasks by their keys. */
export async function addTasks({ query }: TestDatabase, rows: Record<string, NewRow>): Promise<void> {
  for (const [key, row] of Object.entries(rows)) {
    const { status = "working", lease = null, dueIn = -1, attempt = 0, maxAttempts = 3 } = row;
    const { onLost = "retry", expiresIn = 3600, owner = "alice" } = row;
    await query(
      `INSERT INTO mcp_tasks (task_hash, owner, tool, status, call, lease, leased_until, attempt, max_attempts, on_lost, poll_ms,
                              expires_at)
       VALUES ($1, $2, 'work', $3, '{}', $4, now() + $5 * interval '1 second', $6, $7, $8, 1000,
               now() + $9 * interval '1 second')`,
      [key, owner, status, lease, dueIn, attempt, maxAttempts, onLost, expiresIn],
    );
  }
}

/** All tasks by their keys. */
export async function taskRows({ query }: TestDatabase): Promise<Record<string, Row>> {
  const rows = await query(
    `SELECT task_hash, status, lease, attempt, result, leased_until <= clock_timestamp() AS is_due
       FROM mcp_tasks ORDER BY task_hash`,
  );
  return Object.fromEntries(
    rows.map(({ task_hash: key, is_due: isDue, result, ...row }) => [
      String(key),
      { ...row, isDue, result: typeof result === "string" ? JSON.parse(result) : null } as Row,
    ]),
  );
}

/** So many seconds pass for all leases. */
export const passForLeases = ({ query }: TestDatabase, seconds: number) =>
  query("UPDATE mcp_tasks SET leased_until = leased_until - $1 * interval '1 second'", [seconds]);

/** How many tasks have ended, and how. */
export async function endedTotals({ query }: TestDatabase): Promise<Record<string, number>> {
  const rows = await query(
    "SELECT name, sum(value)::integer AS value FROM mcp_session_totals WHERE name LIKE 'tasks_%' GROUP BY name ORDER BY name",
  );
  return Object.fromEntries(rows.map(({ name, value }) => [String(name), Number(value)]));
}
