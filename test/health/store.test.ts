// The census by itself: what is asked, and what is made of the answer.
import { sql } from "drizzle-orm";
import { expect, inject, test } from "vitest";
import * as z from "zod";
import { connect, type Database, type Operation } from "../../src/db/client.ts";
import { createHealthStore, type HealthStoreOptions } from "../../src/health/store.ts";
import { TrialFailed } from "../../src/health/trial.ts";
import { addTrigger } from "../support/owner.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const NOW = new Date("2026-11-26T12:00:00Z");
const DAY = 86_400;

/** The store of a database, which writes down its operations. */
function storeOf({ url }: TestDatabase, options: Partial<HealthStoreOptions> = {}) {
  const connection = connect({ url, endpointOverride: inject("neonEndpoint") });
  const operations: Operation[] = [];
  const database: Database = {
    run: (operation, work) => {
      operations.push(operation);
      // A busy machine may take longer.
      return connection.run({ ...operation, budgetMs: 60_000, attemptMs: 60_000 }, work);
    },
  };
  const store = createHealthStore(database, {
    timeoutMs: 1234,
    idleSleep: {
      wakesAt: async () => undefined,
      recordRun: async () => {},
      recordActivity: async () => {},
    },
    now: () => NOW,
    ...options,
  });
  return { store, operations };
}

/** Adds runs, one after the other: their tier, their outcome, and when they ended. */
async function addRuns({ query }: TestDatabase, ...runs: [tier: string, outcome: string, at?: string][]) {
  for (const [tier, outcome, at = "2026-11-01T00:00:00Z"] of runs) {
    await query(
      `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, error_code, deleted)
       VALUES ($1, 'cron', $3, $3, $3, $3, $2, $4, 5)`,
      [tier, outcome, at, outcome === "failed" ? "XX000" : outcome === "skipped" ? "busy" : null],
    );
  }
}

test("it is one operation that leaves nothing, and that goes out although the circuit is open", async () => {
  const { store, operations } = storeOf(await createDatabase());
  await store.takeCensus(DAY);
  await store.takeCensusWith(DAY, {
    query: sql`SELECT '{"a": 1}'::jsonb`,
    schema: z.object({ a: z.number() }),
  });
  const operation = { name: "session census", budgetMs: 1234, isIdempotent: true, isProbe: true };
  expect(operations).toEqual([operation, operation]);
});

test("of an empty table everything is nothing", async () => {
  const { store } = storeOf(await createDatabase());
  const never = { failuresInARow: 0, lastSuccessAt: null, lastRun: null };
  expect(await store.takeCensus(DAY)).toEqual({
    total: 0,
    expired: 0,
    expiredAtLeast: 0,
    isOverdue: false,
    oldestExpiredAt: null,
    history: { regular: never, immediate: never },
    mayHideRows: false,
    wakesAt: undefined,
    totals: {},
    kept: {},
  });
});

test("handles and tasks are counted where the store is told to, each by itself", async () => {
  const database = await createDatabase();
  const keptOf = async (handles: boolean, tasks: boolean) =>
    Object.keys((await storeOf(database, { keeps: { handles, tasks } }).store.takeCensus(DAY)).kept ?? {});
  expect(await keptOf(true, false)).toEqual(["handles"]);
  expect(await keptOf(false, true)).toEqual(expect.arrayContaining(["tasks"]));
  expect(await keptOf(false, true)).not.toContain("handles");
});

test("times are times, and shards of a total are one number", async () => {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO mcp_sessions (session_id, expires_at)
     VALUES ('a', '2026-01-02T03:04:05.5Z'), ('b', '2026-01-03'), ('c', NULL)`,
  );
  await database.query(
    "INSERT INTO mcp_session_totals (name, shard, value) VALUES ('of_a_test', 0, 40), ('of_a_test', 1, 2)",
  );
  const census = await storeOf(database).store.takeCensus(DAY);
  expect(census).toMatchObject({ total: 3, expired: 2, expiredAtLeast: 2, isOverdue: true });
  expect(census.oldestExpiredAt).toEqual(new Date("2026-01-02T03:04:05.5Z"));
  expect(census.totals["of_a_test"]).toBe(42);
});

test("the history of a tier is its own: its last run, its last success, and the failures since", async () => {
  const database = await createDatabase();
  await addRuns(
    database,
    ["regular", "failed"],
    ["immediate", "failed"],
    ["regular", "completed"],
    ["regular", "failed"],
    ["regular", "partial", "2026-11-02T00:00:00.25Z"],
    ["regular", "failed"],
    ["regular", "skipped"],
    ["regular", "failed", "2026-11-03T00:00:00Z"],
    ["immediate", "completed", "2026-11-04T00:00:00Z"],
    ["immediate", "failed"],
    ["immediate", "failed"],
    ["immediate", "failed", "2026-11-05T00:00:00Z"],
  );
  const { history } = await storeOf(database).store.takeCensus(DAY);
  const runAt = (time: string) => ({
    outcome: "failed",
    trigger: "cron",
    scheduled_at: time,
    started_at: time,
    finished_at: time,
    deleted: 5,
    batches: 0,
    error_code: "XX000",
    blocked: 0,
    blocked_by: null,
  });
  expect(history).toEqual({
    regular: {
      failuresInARow: 2,
      lastSuccessAt: new Date("2026-11-02T00:00:00.25Z"),
      lastRun: runAt("2026-11-03T00:00:00.000Z"),
    },
    immediate: {
      failuresInARow: 3,
      lastSuccessAt: new Date("2026-11-04T00:00:00Z"),
      lastRun: runAt("2026-11-05T00:00:00.000Z"),
    },
  });
});

test("a success ends the failures before it, whichever of the two it is, and of no other tier", async () => {
  const database = await createDatabase();
  await addRuns(database, ["regular", "failed"], ["immediate", "failed"]);
  const failures = async () => {
    const { history } = await storeOf(database).store.takeCensus(DAY);
    return [history.regular.failuresInARow, history.immediate.failuresInARow];
  };
  // Also when it is the first run of all.
  expect(await failures()).toEqual([1, 1]);
  await addRuns(database, ["regular", "completed"]);
  expect(await failures()).toEqual([0, 1]);
  await addRuns(database, ["immediate", "partial"], ["regular", "failed"]);
  expect(await failures()).toEqual([1, 0]);
});

test("without being told only the opening of a session is tried", async () => {
  const database = await createDatabase();
  await addTrigger(database, "DELETE", "RAISE EXCEPTION 'of the owner'");
  const { store } = storeOf(database);
  const more = { query: sql`SELECT '7'::jsonb`, schema: z.number() };
  expect(await store.takeCensus(DAY)).toMatchObject({ total: 0 });
  expect(await store.takeCensus(DAY, false)).toMatchObject({ total: 0 });
  expect(await store.takeCensusWith(DAY, more)).toMatchObject({ census: { total: 0 }, more: 7 });
  await expect(store.takeCensus(DAY, true)).rejects.toMatchObject({
    name: "TrialFailed",
    failed: { step: "delete", sqlstate: "P0001" },
  });
});

test("when the trial has failed nothing is counted, so the trial says what is wrong", async () => {
  const database = await createDatabase();
  await addTrigger(database, "INSERT", "RAISE EXCEPTION 'of the owner'");
  await database.query(`CREATE OR REPLACE FUNCTION mcp_count_sessions(
      p_overdue_seconds double precision, OUT total bigint, OUT expired bigint, OUT expired_at_least bigint,
      OUT is_overdue boolean, OUT oldest_expired timestamptz)
    LANGUAGE plpgsql STABLE AS $$ BEGIN RAISE EXCEPTION 'counted' USING ERRCODE = 'XX000'; END $$`);
  const failed: unknown = await storeOf(database)
    .store.takeCensus(DAY)
    .catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(TrialFailed);
  expect(failed).toMatchObject({ failed: { step: "open", sqlstate: "P0001" } });
});

test("while the regular cleanup rightly sleeps, nothing is overdue", async () => {
  const database = await createDatabase();
  await database.query("INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('a', '2026-01-02')");
  const overdueUntil = async (wakes: Date) => {
    const wakesAt = { regular: wakes, immediate: NOW };
    const idleSleep = {
      wakesAt: async () => wakesAt,
      recordRun: async () => {},
      recordActivity: async () => {},
    };
    const census = await storeOf(database, { idleSleep }).store.takeCensus(DAY);
    expect(census.wakesAt).toEqual(wakesAt);
    return census.isOverdue;
  };
  const due = NOW.getTime() - DAY * 1000;
  expect(await overdueUntil(new Date(due))).toBe(true);
  expect(await overdueUntil(new Date(due + 1))).toBe(false);
});
