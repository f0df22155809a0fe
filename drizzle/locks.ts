// The locks that keep rows from being written uncounted while tables or triggers change.
import { type Client, DatabaseError } from "pg";
import type { Plan } from "./plan.ts";

// The tables that the Worker uses.
const TABLES = ["mcp_sessions", "mcp_cleanup_runs", "mcp_session_changes", "mcp_session_totals"];

// Less than PostgreSQL's deadlock_timeout (1 s). So it is this attempt that gives way, and no request of the Worker.
const ATTEMPT_MS = 300;

const LOCK_NOT_AVAILABLE = "55P03";

/** Waits for in-flight transactions, and keeps others from the tables until the end, where the plan needs that. */
export async function lockTables(client: Client, { migrations, recounts }: Plan): Promise<void> {
  if (migrations.length === 0 && !recounts) return;
  const { rows } = await client.query<{ name: string }>(
    "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL",
    [TABLES],
  );
  if (rows.length === 0) return;
  // A migration changes tables; replacing triggers lets readers in.
  const mode = migrations.length > 0 ? "ACCESS EXCLUSIVE" : "SHARE ROW EXCLUSIVE";
  const statement = `LOCK TABLE ${rows.map(({ name }) => name).join(", ")} IN ${mode} MODE`;
  while (!(await tryTo(client, statement)));
}

/** Runs the statement; false, and no lock is held, when a lock was not free for some time. */
async function tryTo(client: Client, statement: string): Promise<boolean> {
  await client.query("SAVEPOINT before_locks");
  try {
    await client.query(`SET LOCAL lock_timeout = ${ATTEMPT_MS}`);
    await client.query(statement);
    await client.query("SET LOCAL lock_timeout TO DEFAULT");
    return true;
  } catch (error) {
    if (!(error instanceof DatabaseError && error.code === LOCK_NOT_AVAILABLE)) throw error;
    // The transactions that wait for a lock of this attempt get it now.
    await client.query("ROLLBACK TO SAVEPOINT before_locks");
    return false;
  }
}
