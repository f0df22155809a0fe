// Runs that meet: another run, a dying connection, a caller that has gone.
import { expect, test } from "vitest";
import { CleanupFailed, runCleanupOnce, runImmediateCleanup } from "../../src/cleanup/clean.ts";
import { logged } from "../support/captured-logs.ts";
import { addExpired, at, HOUR, poll, runsOf, runInProgress, slowDown, storeOf } from "../support/cleanup.ts";
import { holdDeletions } from "../support/locks.ts";
import { addSessions, createDatabase, remaining, setFaults, type TestDatabase } from "../support/worker.ts";

const outcomesOf = async (database: TestDatabase) =>
  (await runsOf(database)).map(({ tier, outcome, deleted, error_code: code }) => [
    tier,
    outcome,
    Number(deleted),
    code,
  ]);

// With batches of two, the first of the second batch.
const THIRD = "OLD.session_id = 'expired-3'";

const countSessions = async ({ query }: TestDatabase) =>
  Number((await query("SELECT count(*) FROM mcp_sessions"))[0]?.["count"]);

test.each([
  ["regular", runCleanupOnce],
  ["immediate", runImmediateCleanup],
] as const)("a %s run during a regular one is skipped at once and deletes nothing", async (tier, run) => {
  const database = await createDatabase();
  await addExpired(database, 40);
  const third = await holdDeletions(database, THIRD);
  const first = runCleanupOnce(storeOf(database, { batchSize: 2 }));
  await runInProgress(database);
  // It has time to wait, and does not use it.
  expect(await run(storeOf(database, { timeBudgetMs: 300_000 }))).toBe(0);
  await third.release();
  expect(await first).toBe(40);
  expect(await outcomesOf(database)).toEqual([
    ["regular", "completed", 40, null],
    [tier, "skipped", 0, "busy"],
  ]);
  expect(logged("MCP session cleanup: skipped")).toEqual([expect.objectContaining({ tier, reason: "busy" })]);
});

test("a regular run waits for an immediate one, so that a full hour never leaves it out", async () => {
  const database = await createDatabase();
  await addExpired(database, 40);
  await addSessions(database, { recent: at(new Date(), -1000) });
  const third = await holdDeletions(database, THIRD);
  const immediate = runImmediateCleanup(storeOf(database, { batchSize: 2 }));
  await runInProgress(database);
  const regular = runCleanupOnce(storeOf(database, { timeBudgetMs: 300_000 }));
  // It waits, or has been recorded as skipped.
  await poll(() =>
    database.query(
      `SELECT 1 WHERE (SELECT count(*) FROM mcp_cleanup_runs) = 2
                   OR (SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL mcp_cleanup%' AND state = 'active'
                                                               AND datname = current_database()) = 2`,
    ),
  );
  await third.release();
  expect(await regular).toBe(1);
  expect(await immediate).toBe(40);
  expect(await outcomesOf(database)).toEqual([
    ["immediate", "completed", 40, null],
    ["regular", "completed", 1, null],
  ]);
});

test("a regular run that has waited its whole budget for an immediate one is skipped", async () => {
  const database = await createDatabase();
  await addExpired(database, 40);
  const third = await holdDeletions(database, THIRD);
  const immediate = runImmediateCleanup(storeOf(database, { batchSize: 2 }));
  await runInProgress(database);
  expect(await runCleanupOnce(storeOf(database, { timeBudgetMs: 100 }))).toBe(0);
  await third.release();
  expect(await immediate).toBe(40);
  expect((await outcomesOf(database)).at(-1)).toEqual(["regular", "skipped", 0, "busy"]);
  // It has let go of what it held: the next one runs.
  expect(await runCleanupOnce(storeOf(database))).toBe(0);
  expect((await outcomesOf(database)).at(-1)).toEqual(["regular", "completed", 0, null]);
});

test("eight runs started at once delete each session exactly once", async () => {
  const database = await createDatabase();
  await addExpired(database, 3000);
  await addSessions(database, { live: at(new Date(), HOUR) });
  const runs = Array.from({ length: 8 }, (_, i) =>
    (i % 2 === 0 ? runCleanupOnce : runImmediateCleanup)(storeOf(database, { batchSize: 10 })),
  );
  const deleted = await Promise.all(runs);
  expect(deleted.reduce((sum, count) => sum + count)).toBe(3000);
  expect(await remaining(database)).toEqual(["live"]);
  const recorded = await database.query(
    "SELECT sum(deleted) AS deleted, count(*) AS runs FROM mcp_cleanup_runs",
  );
  expect(recorded).toEqual([{ deleted: "3000", runs: "8" }]);
});

const killRuns = ({ query }: TestDatabase) =>
  query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CALL mcp_cleanup%'");

test("a run whose connection is killed is sent again, and goes on where it was", async () => {
  const database = await createDatabase();
  await addExpired(database, 60);
  const third = await holdDeletions(database, THIRD);
  const running = runCleanupOnce(storeOf(database, { batchSize: 2 }));
  await runInProgress(database);
  await killRuns(database);
  await third.release();
  const rest = await running;
  expect(await countSessions(database)).toBe(0);
  expect(await outcomesOf(database)).toEqual([
    ["regular", "failed", 60 - rest, "interrupted"],
    ["regular", "completed", rest, null],
  ]);
  expect(logged("Database operation retried")).toEqual([
    expect.objectContaining({
      operation: "regular cleanup",
      kind: "database_unreachable",
      attempts: 2,
      outcome: "succeeded",
    }),
  ]);
});

test("a run whose connection is killed keeps what it did; the next one recognises it and finishes", async () => {
  const database = await createDatabase();
  await addExpired(database, 60);
  const third = await holdDeletions(database, THIRD);
  const killed = runCleanupOnce(storeOf(database, { batchSize: 2 }));
  killed.catch(() => {});
  await runInProgress(database);
  // Nor do its repetitions come through.
  await setFaults({ fault: { kind: "reset" }, matching: "CALL mcp_cleanup_sessions(" });
  await killRuns(database);
  await expect(killed).rejects.toMatchObject({ name: "DatabaseFault" });
  await setFaults();
  await third.release();
  const [dead] = await runsOf(database);
  const done = Number(dead?.["deleted"]);
  expect(dead).toMatchObject({ outcome: "running", finished_at: null });
  expect(done).toBeGreaterThan(0);
  expect(await countSessions(database)).toBe(60 - done);

  expect(await runCleanupOnce(storeOf(database))).toBe(60 - done);
  expect(await outcomesOf(database)).toEqual([
    ["regular", "failed", done, "interrupted"],
    ["regular", "completed", 60 - done, null],
  ]);
  expect(logged("session_cleanup_task_failed")).toEqual([
    expect.objectContaining({ level: "ERROR", tier: "regular", kind: "database_unreachable" }),
  ]);
});

test.each([
  ["cron", "skipped", "duplicate"],
  ["manual", "completed", null],
] as const)(
  "a %s run whose answer is lost has counted its deletions once, and is %s when it is sent again",
  async (trigger, outcome, code) => {
    const database = await createDatabase();
    await addExpired(database, 5);
    await setFaults({ fault: { kind: "lost-after-commit" }, times: 1, matching: "CALL" });
    expect(await runCleanupOnce(storeOf(database, { trigger }), new Date())).toBe(0);
    await setFaults();
    expect(await outcomesOf(database)).toEqual([
      ["regular", "completed", 5, null],
      ["regular", outcome, 0, code],
    ]);
  },
);

test("a run that may not delete is recorded with its SQLSTATE, logged and thrown", async () => {
  const database = await createDatabase();
  await addExpired(database, 5);
  await database.query("REVOKE DELETE ON mcp_sessions FROM mcp");
  await expect(runCleanupOnce(storeOf(database))).rejects.toThrow(CleanupFailed);
  expect(await outcomesOf(database)).toEqual([["regular", "failed", 0, "42501"]]);
  expect(logged("session_cleanup_task_failed")).toEqual([
    expect.objectContaining({ tier: "regular", kind: "run_failed", sqlstate: "42501" }),
  ]);
  await database.query("GRANT DELETE ON mcp_sessions TO mcp");
  expect(await runCleanupOnce(storeOf(database))).toBe(5);
});

test("a run that cannot be recorded deletes nothing, and holds no lock afterwards", async () => {
  const database = await createDatabase();
  await addExpired(database, 5);
  await database.query("REVOKE INSERT ON mcp_cleanup_runs FROM mcp");
  await expect(runCleanupOnce(storeOf(database))).rejects.toMatchObject({ kind: "permission_denied" });
  expect(await countSessions(database)).toBe(5);
  expect(await database.query("SELECT * FROM pg_locks WHERE locktype = 'advisory'")).toEqual([]);
});

test("under a statement_timeout of the role a run stops in time, and one that was cancelled is followed by smaller batches", async () => {
  const database = await createDatabase();
  await slowDown(database);
  await addExpired(database, 150);
  const name = new URL(database.url).pathname.slice(1);
  await database.query(`ALTER ROLE mcp IN DATABASE ${name} SET statement_timeout = '1s'`);
  await database
    .query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()")
    .catch(() => {});
  // A batch of 100 takes two seconds at least, and one of 50 takes one. One of 25 fits, or a smaller one.
  for (let i = 0; i < 100 && (await countSessions(database)) > 0; i++) {
    await runCleanupOnce(storeOf(database, { batchSize: 100 })).catch(() => {});
  }
  expect(await countSessions(database)).toBe(0);
  const outcomes = (await outcomesOf(database)).map(([, outcome, , code]) => code ?? outcome);
  expect(outcomes.slice(0, 2)).toEqual(["57014", "57014"]);
  expect(["partial", "completed"]).toContain(outcomes.at(-1));
  expect((await runsOf(database)).reduce((sum, run) => sum + Number(run["deleted"]), 0)).toBe(150);
});
