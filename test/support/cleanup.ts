// The cleanup store by itself, and a table that is slow to delete from.
import { inject, onTestFinished } from "vitest";
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
      // On a busy machine thousands of sessions may take longer than the default.
      timeBudgetMs: 300_000,
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

const PAUSE_MS = 5;

/** Asks again until the answer is not empty. Only the time limit of the test ends it before that. */
export async function poll<T>(ask: () => Promise<T[]>): Promise<T> {
  const asking = { isOver: false };
  onTestFinished(() => {
    asking.isOver = true;
  });
  while (!asking.isOver) {
    const [answer] = await ask();
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error("The test has ended before it happened");
}

/** Resolves when a run has committed its first batch. */
export const runInProgress = ({ query }: TestDatabase) =>
  poll(() => query("SELECT * FROM mcp_cleanup_runs WHERE outcome = 'running' AND deleted > 0"));
