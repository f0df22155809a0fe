// The record of a run is its lease: which records keep another run out, and which belong to the dead.
import { expect, test } from "vitest";
import { CleanupFailed, runCleanupOnce, runImmediateCleanup } from "../../src/cleanup/clean.ts";
import { addExpired, runsOf, storeOf } from "../support/cleanup.ts";
import { heldOpen } from "../support/locks.ts";
import { addTrigger } from "../support/owner.ts";
import { asSuperuser, createDatabase, type TestDatabase } from "../support/worker.ts";

// A process of the server's own, which lives as long as it does, and one that cannot be.
const ALIVE = "(SELECT min(pid) FROM pg_stat_activity WHERE usesysid IS NULL)";
const GONE = "-1";

const addRunning = ({ query }: TestDatabase, renewedAt: string, pid: string, tier = "regular") =>
  query(
    `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, outcome, renewed_at, backend_pid)
     SELECT '${tier}', 'cron', now(), now(), now(), 'running', ${renewedAt}, ${pid}`,
  );

const outcomesOf = async (database: TestDatabase) =>
  (await runsOf(database)).map(({ outcome, error_code: code }) => [outcome, code]);

test("a record that was renewed by a backend that lives keeps another run out", async () => {
  const database = await createDatabase();
  await addExpired(database, 3);
  // No machine is so slow that this is five seconds ago.
  await addRunning(database, "now() + interval '1 hour'", ALIVE);
  expect(await runCleanupOnce(storeOf(database))).toBe(0);
  expect(await outcomesOf(database)).toEqual([
    ["running", null],
    ["skipped", "busy"],
  ]);
});

test.each([
  ["whose backend has gone", "now() + interval '1 hour'", GONE],
  ["that was not renewed for five seconds", "now() - interval '5 seconds'", ALIVE],
  ["that was never renewed", "NULL", ALIVE],
  ["of which no backend is known", "now() + interval '1 hour'", "NULL"],
])("a record %s is closed, and the run begins", async (_, renewedAt, pid) => {
  const database = await createDatabase();
  await addExpired(database, 3);
  await addRunning(database, renewedAt, pid, "immediate");
  expect(await runCleanupOnce(storeOf(database))).toBe(3);
  const [dead, run] = await runsOf(database);
  expect(dead).toMatchObject({ outcome: "failed", error_code: "interrupted" });
  expect(dead?.["finished_at"]).not.toBeNull();
  expect(run).toMatchObject({ outcome: "completed" });
});

test("in a database that hides who is connected, a dead run is told from one that lives", async () => {
  const database = await createDatabase();
  await addExpired(database, 3);
  const [alive] = await database.query(`SELECT ${ALIVE} AS pid`);
  await asSuperuser("REVOKE SELECT ON pg_stat_activity FROM PUBLIC", database);
  await addRunning(database, "now() + interval '1 hour'", String(alive?.["pid"]));
  expect(await runCleanupOnce(storeOf(database))).toBe(0);
  await database.query(`UPDATE mcp_cleanup_runs SET backend_pid = ${GONE} WHERE outcome = 'running'`);
  expect(await runCleanupOnce(storeOf(database))).toBe(3);
});

test("a record that is locked is of a run at work, however old it is, and is not waited for", async () => {
  const database = await createDatabase();
  await addRunning(database, "now() - interval '1 hour'", GONE);
  const work = await heldOpen(database, "SELECT FROM mcp_cleanup_runs FOR UPDATE");
  expect(await runImmediateCleanup(storeOf(database))).toBe(0);
  await work.release();
  expect(await outcomesOf(database)).toEqual([
    ["running", null],
    ["skipped", "busy"],
  ]);
});

test("a run does not begin while another one is beginning", async () => {
  const database = await createDatabase();
  const beginning = await heldOpen(
    database,
    "SELECT FROM mcp_begin_cleanup_run('regular', 'manual', now(), now(), now())",
  );
  const run = runCleanupOnce(storeOf(database));
  const first = await Promise.race([run.then(() => "it ran"), beginning.waitedFor().then(() => "it waits")]);
  await beginning.release();
  await run;
  expect(first).toBe("it waits");
});

test.each([
  ["lives", ALIVE],
  ["has gone", GONE],
])(
  "a record that ends by itself, while another one is being closed, keeps nobody out, and stays as it is: its backend %s",
  async (_, pid) => {
    const database = await createDatabase();
    await addExpired(database, 3);
    await addRunning(database, "NULL", GONE);
    await addRunning(database, "now() + interval '1 hour'", pid);
    // Closing the first waits for its total, and so after the second was read.
    await database.query(
      "INSERT INTO mcp_session_totals SELECT 'cleanup_runs/regular/failed', s, 1 FROM generate_series(0, 15) s",
    );
    const totals = await heldOpen(
      database,
      "SELECT FROM mcp_session_totals WHERE name = 'cleanup_runs/regular/failed' FOR UPDATE",
    );
    const run = runCleanupOnce(storeOf(database));
    await totals.waitedFor();
    await database.query(
      "UPDATE mcp_cleanup_runs SET outcome = 'completed', finished_at = now() WHERE renewed_at IS NOT NULL",
    );
    await totals.release();
    expect(await run).toBe(3);
    expect(await outcomesOf(database)).toEqual([
      ["failed", "interrupted"],
      ["completed", null],
      ["completed", null],
    ]);
  },
);

test("a run whose record another one has closed stops, and does not open it again", async () => {
  const database = await createDatabase();
  await addExpired(database, 50);
  // As if it had been closed in the middle of the third batch.
  await addTrigger(
    database,
    "DELETE",
    `IF OLD.session_id = 'expired-25' THEN
       UPDATE mcp_cleanup_runs SET outcome = 'failed', error_code = 'interrupted', finished_at = clock_timestamp();
     END IF`,
  );
  await expect(runCleanupOnce(storeOf(database, { batchSize: 10 }))).rejects.toThrow(CleanupFailed);
  expect(await runsOf(database)).toMatchObject([
    { outcome: "failed", error_code: "interrupted", deleted: "30", batches: 3 },
  ]);
  expect(await database.query("SELECT count(*)::int FROM mcp_sessions")).toEqual([{ count: 20 }]);
});
