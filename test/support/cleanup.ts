// The cleanup store by itself, and a table that is slow to delete from.
import { inject } from "vitest";
import { type CleanupReport, type CleanupSettings, createCleanupStore } from "../../src/cleanup/store.ts";
import { connect } from "../../src/db/client.ts";
import type { TestDatabase } from "./worker.ts";

export const HOUR = 3_600_000;

export const at = (time: Date, offsetMs: number) => new Date(time.getTime() + offsetMs);

export function storeOf(
  { url }: TestDatabase,
  settings: Partial<CleanupSettings> = {},
  afterRun?: (report: CleanupReport, currentTime: Date) => Promise<void>,
) {
  return createCleanupStore(
    connect({ url, endpointOverride: inject("neonEndpoint") }),
    {
      trigger: "manual",
      minAgeSeconds: { regular: 0, immediate: 3600 },
      batchSize: 1000,
      timeBudgetMs: 20_000,
      runRetentionDays: 30,
      ...settings,
    },
    afterRun,
  );
}

export const runsOf = ({ query }: TestDatabase) => query("SELECT * FROM mcp_cleanup_runs ORDER BY run_id");

/** From now on each deletion of a session takes 20 ms, so that a test can act during a run. */
export async function slowDown({ query }: TestDatabase): Promise<void> {
  await query(`CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(0.02); RETURN OLD; END'`);
  await query("CREATE TRIGGER slow BEFORE DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION be_slow()");
}

/** Adds `count` sessions that expired two hours ago and later. */
export async function addExpired({ query }: TestDatabase, count: number): Promise<void> {
  await query(
    `INSERT INTO mcp_sessions (session_id, expires_at)
     SELECT 'expired-' || i, now() - interval '2 hours' + i * interval '1 ms' FROM generate_series(1, $1::int) i`,
    [count],
  );
}

/** Asks again until the answer is not empty. */
export async function poll<T>(ask: () => Promise<T[]>): Promise<T> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const [answer] = await ask();
    if (answer !== undefined) return answer;
  }
  throw new Error("It did not happen within 10 s");
}

/** Resolves when a run has committed its first batch. */
export const runInProgress = ({ query }: TestDatabase) =>
  poll(() => query("SELECT * FROM mcp_cleanup_runs WHERE outcome = 'running' AND deleted > 0"));

/** Locks the table from another connection, and hands back what awaits the end of the lock. */
export async function lockSessions(
  { query }: TestDatabase,
  seconds: number,
): Promise<() => Promise<unknown>> {
  const lock = query(`DO $$ BEGIN LOCK TABLE mcp_sessions; PERFORM pg_sleep(${seconds}); END $$`);
  await poll(() =>
    query(
      "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'mcp_sessions'::regclass",
    ),
  );
  return () => lock;
}
