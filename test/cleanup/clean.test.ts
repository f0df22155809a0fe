import { expect, test } from "vitest";
import { runCleanupOnce, runImmediateCleanup } from "../../src/cleanup/clean.ts";
import { logged } from "../support/captured-logs.ts";
import { at, HOUR, runsOf, storeOf } from "../support/cleanup.ts";
import { addSessions, createDatabase, remaining } from "../support/worker.ts";

test("the regular tier deletes what expired one millisecond before its cutoff, and nothing from the cutoff on", async () => {
  const database = await createDatabase();
  const cutoff = at(new Date(), -HOUR);
  await addSessions(database, {
    ancient: "-infinity",
    "1ms-before": at(cutoff, -1),
    "at-cutoff": cutoff,
    "1ms-after": at(cutoff, 1),
    live: at(new Date(), HOUR),
    never: null,
    forever: "infinity",
  });
  expect(await runCleanupOnce(storeOf(database), cutoff)).toBe(2);
  expect(await remaining(database)).toEqual(["1ms-after", "at-cutoff", "forever", "live", "never"]);
});

test("the immediate tier deletes what had been expired for exactly its age, and nothing one millisecond younger", async () => {
  const database = await createDatabase();
  const now = new Date();
  await addSessions(database, {
    "1ms-older": at(now, -HOUR - 1),
    "exactly-an-hour": at(now, -HOUR),
    "1ms-younger": at(now, -HOUR + 1),
    "just-expired": at(now, -1),
    live: at(now, HOUR),
    never: null,
  });
  expect(await runImmediateCleanup(storeOf(database), now)).toBe(2);
  expect(await remaining(database)).toEqual(["1ms-younger", "just-expired", "live", "never"]);
});

test("with an age of zero the immediate tier cuts where the regular one does", async () => {
  const database = await createDatabase();
  const cutoff = at(new Date(), -HOUR);
  await addSessions(database, { before: at(cutoff, -1), "at-cutoff": cutoff, after: at(cutoff, 1) });
  const store = storeOf(database, { minAgeSeconds: { regular: 0, immediate: 0 } });
  expect(await runImmediateCleanup(store, cutoff)).toBe(1);
  expect(await remaining(database)).toEqual(["after", "at-cutoff"]);
});

test("a cutoff ahead of the database's clock does not reach a live session", async () => {
  const database = await createDatabase();
  await addSessions(database, { expired: at(new Date(), -1000), live: at(new Date(), HOUR) });
  expect(await runCleanupOnce(storeOf(database), at(new Date(), 24 * HOUR))).toBe(1);
  expect(await remaining(database)).toEqual(["live"]);
});

test("without a time, both run as of now", async () => {
  const database = await createDatabase();
  await addSessions(database, { old: at(new Date(), -2 * HOUR), recent: at(new Date(), -1000) });
  expect(await runImmediateCleanup(storeOf(database))).toBe(1);
  expect(await remaining(database)).toEqual(["recent"]);
  expect(await runCleanupOnce(storeOf(database))).toBe(1);
  expect(await remaining(database)).toEqual([]);
});

test("sessions that expire at the same instant are still deleted in batches of the given size", async () => {
  const database = await createDatabase();
  await database.query(
    "INSERT INTO mcp_sessions (session_id, expires_at) SELECT 'tie-' || i, now() - interval '1 hour' FROM generate_series(1, 250) i",
  );
  await addSessions(database, { live: at(new Date(), HOUR) });
  expect(await runCleanupOnce(storeOf(database, { batchSize: 100 }))).toBe(250);
  expect(await remaining(database)).toEqual(["live"]);
  const [run] = await runsOf(database);
  expect(run).toMatchObject({ outcome: "completed", deleted: "250", batches: 3 });
});

test("a run records what it was asked, what it did and when", async () => {
  const database = await createDatabase();
  const scheduled = new Date();
  await addSessions(database, { old: at(scheduled, -2 * HOUR) });
  await runImmediateCleanup(storeOf(database, { trigger: "cron" }), scheduled);
  const [run, ...others] = await runsOf(database);
  expect(others).toEqual([]);
  expect(run).toMatchObject({
    tier: "immediate",
    trigger: "cron",
    outcome: "completed",
    deleted: "1",
    batches: 1,
    error_code: null,
  });
  const time = (column: string) => new Date(String(run?.[column])).getTime();
  expect(time("scheduled_at")).toBe(scheduled.getTime());
  expect(scheduled.getTime() - time("cutoff")).toBeGreaterThanOrEqual(HOUR);
  expect(time("started_at")).toBeLessThanOrEqual(time("finished_at"));
});

test("a run that uses up its budget is partial, and the next one finishes", async () => {
  const database = await createDatabase();
  await database.query(
    "INSERT INTO mcp_sessions (session_id, expires_at) SELECT 's' || i, now() - i * interval '1 second' FROM generate_series(1, 20000) i",
  );
  const hurried = await runCleanupOnce(storeOf(database, { batchSize: 1, timeBudgetMs: 100 }));
  expect(hurried).toBeGreaterThan(0);
  expect(hurried).toBeLessThan(20_000);
  expect(await runCleanupOnce(storeOf(database))).toBe(20_000 - hurried);
  const runs = await runsOf(database);
  expect(runs.map(({ outcome }) => outcome)).toEqual(["partial", "completed"]);
  expect(runs.map(({ deleted }) => Number(deleted))).toEqual([hurried, 20_000 - hurried]);
});

test("records older than the retention are pruned by the next run, and no others", async () => {
  const database = await createDatabase();
  for (const age of ["2 days 1 minute", "1 day 23 hours"]) {
    await database.query(
      `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, deleted)
       SELECT 'regular', 'cron', t, t, t, t, 'completed', 7 FROM (SELECT now() - interval '${age}' AS t) ago`,
    );
  }
  await runCleanupOnce(storeOf(database, { runRetentionDays: 2 }));
  const runs = await runsOf(database);
  expect(runs.map(({ deleted }) => deleted)).toEqual(["7", "0"]);
});

test("the same scheduled event delivered twice is recorded twice and deletes nothing the second time", async () => {
  const database = await createDatabase();
  const store = storeOf(database, { trigger: "cron" });
  const scheduled = new Date();
  await addSessions(database, { old: at(scheduled, -HOUR) });
  expect(await runCleanupOnce(store, scheduled)).toBe(1);
  await addSessions(database, { "as-old": at(scheduled, -HOUR) });
  expect(await runCleanupOnce(store, scheduled)).toBe(0);
  expect(await remaining(database)).toEqual(["as-old"]);
  const runs = await runsOf(database);
  expect(runs.map(({ outcome, error_code: code }) => [outcome, code])).toEqual([
    ["completed", null],
    ["skipped", "duplicate"],
  ]);
  expect(runs[0]?.["scheduled_at"]).toEqual(runs[1]?.["scheduled_at"]);
});

test("a run says how many sessions it deleted, and at debug that there were none", async () => {
  const database = await createDatabase();
  await addSessions(database, { a: at(new Date(), -HOUR), b: at(new Date(), -HOUR) });
  await runCleanupOnce(storeOf(database));
  await runCleanupOnce(storeOf(database));
  expect(logged("MCP session cleanup: deleted 2 expired sessions")).toEqual([
    expect.objectContaining({ level: "INFO", tier: "regular", outcome: "completed", deleted: 2, batches: 1 }),
  ]);
  expect(logged("MCP session cleanup: no expired sessions to delete")).toEqual([
    expect.objectContaining({ level: "DEBUG", tier: "regular", deleted: 0 }),
  ]);
});
