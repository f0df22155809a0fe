import { expect, test } from "vitest";
import { logged } from "./support/captured-logs.ts";
import { addExpired, at, HOUR, runsOf } from "./support/cleanup.ts";
import {
  addSessions,
  createDatabase,
  databaseRequests,
  environment,
  fire,
  IMMEDIATE_CRON,
  REGULAR_CRON,
  remaining,
  setFaults,
} from "./support/worker.ts";

test("in standard mode the immediate cron makes no query and deletes nothing", async () => {
  const database = await createDatabase();
  await addSessions(database, { ancient: at(new Date(), -48 * HOUR) });
  const before = await databaseRequests();
  await fire(database.env(), IMMEDIATE_CRON);
  expect(await databaseRequests()).toBe(before);
  expect(await remaining(database)).toEqual(["ancient"]);
  expect(await runsOf(database)).toEqual([]);
});

test("in aggressive mode the immediate cron deletes by its configured age, as of the event's own time", async () => {
  const database = await createDatabase();
  const scheduled = at(new Date(), -5 * 60_000);
  await addSessions(database, {
    "60s-before": at(scheduled, -60_000),
    "1ms-younger": at(scheduled, -59_999),
    "expired-since": at(scheduled, 1),
    live: at(new Date(), HOUR),
  });
  const env = database.env({ MCP_AGGRESSIVE_CLEANUP: "TRUE", MCP_IMMEDIATE_CLEANUP_AGE_SECONDS: "60" });
  await fire(env, IMMEDIATE_CRON, scheduled);
  expect(await remaining(database)).toEqual(["1ms-younger", "expired-since", "live"]);
});

test.each(["false", "true"])(
  "the regular cron deletes all that expired before its event, aggressive %s",
  async (mode) => {
    const database = await createDatabase();
    const scheduled = at(new Date(), -5 * 60_000);
    await addSessions(database, {
      "1ms-before": at(scheduled, -1),
      "at-event": scheduled,
      "1ms-after": at(scheduled, 1),
      live: at(new Date(), HOUR),
    });
    await fire(database.env({ MCP_AGGRESSIVE_CLEANUP: mode }), REGULAR_CRON, scheduled);
    expect(await remaining(database)).toEqual(["1ms-after", "at-event", "live"]);
    const [run] = await runsOf(database);
    expect(run).toMatchObject({ tier: "regular", trigger: "cron", outcome: "completed", deleted: "1" });
    expect(new Date(String(run?.["scheduled_at"])).getTime()).toBe(scheduled.getTime());
  },
);

test("a run is one round trip, however many batches it has", async () => {
  const database = await createDatabase();
  await addExpired(database, 500);
  const before = await databaseRequests();
  await fire(database.env({ MCP_CLEANUP_BATCH_SIZE: "10" }), REGULAR_CRON);
  expect((await databaseRequests()) - before).toBe(1);
  expect((await runsOf(database))[0]).toMatchObject({ deleted: "500", batches: 50 });
});

test("both crons of a full hour at once leave nothing expired behind", async () => {
  const database = await createDatabase();
  const scheduled = new Date();
  await addExpired(database, 2000);
  await addSessions(database, { recent: at(scheduled, -1000), live: at(scheduled, HOUR) });
  const env = database.env({ MCP_AGGRESSIVE_CLEANUP: "1", MCP_CLEANUP_BATCH_SIZE: "10" });
  await Promise.all([fire(env, IMMEDIATE_CRON, scheduled), fire(env, REGULAR_CRON, scheduled)]);
  expect(await remaining(database)).toEqual(["live"]);
  const recorded = await database.query("SELECT sum(deleted)::int AS deleted FROM mcp_cleanup_runs");
  expect(recorded).toEqual([{ deleted: 2001 }]);
});

test("a cron that no tier knows is logged and thrown, and nothing is touched", async () => {
  const database = await createDatabase();
  await addSessions(database, { ancient: at(new Date(), -48 * HOUR) });
  const before = await databaseRequests();
  await expect(fire(database.env(), "0  * * * *")).rejects.toThrow(
    /No cleanup tier has the cron "0 {2}\* \* \* \*"/,
  );
  expect(await databaseRequests()).toBe(before);
  expect(await remaining(database)).toEqual(["ancient"]);
  expect(logged("session_cleanup_task_failed")).toEqual([
    expect.objectContaining({ level: "ERROR", kind: "unknown_cron", cron: "0  * * * *" }),
  ]);
});

test("the crons are variables: a tier runs for its own string only", async () => {
  const database = await createDatabase();
  await addSessions(database, { expired: at(new Date(), -HOUR) });
  const env = database.env({ MCP_REGULAR_CLEANUP_CRON: "30 2 * * *" });
  await expect(fire(env, REGULAR_CRON)).rejects.toThrow("No cleanup tier");
  await fire(env, "30 2 * * *");
  expect(await remaining(database)).toEqual([]);
});

test("every event says mode, tier and cron before it does anything", async () => {
  const database = await createDatabase();
  await fire(database.env(), IMMEDIATE_CRON);
  await fire(database.env({ MCP_AGGRESSIVE_CLEANUP: "true" }), IMMEDIATE_CRON);
  await fire(database.env(), REGULAR_CRON);
  expect(logged("MCP session cleanup scheduler started")).toEqual([
    expect.objectContaining({ mode: "standard", tier: "immediate", cron: IMMEDIATE_CRON, active: false }),
    expect.objectContaining({ mode: "aggressive", tier: "immediate", cron: IMMEDIATE_CRON, active: true }),
    expect.objectContaining({ mode: "standard", tier: "regular", cron: REGULAR_CRON, active: true }),
  ]);
});

test("an event that cannot reach the database is logged with the kind and thrown without a driver's message", async () => {
  const database = await createDatabase();
  await setFaults({ fault: { kind: "quota" } });
  await expect(fire(database.env(), REGULAR_CRON)).rejects.toThrow(
    /^regular cleanup failed: quota_exceeded$/,
  );
  await setFaults();
  expect(logged("session_cleanup_task_failed")).toEqual([
    expect.objectContaining({ level: "ERROR", tier: "regular", kind: "quota_exceeded" }),
  ]);
});

test("an event under a wrong configuration is logged and thrown with the variables' names, not their values", async () => {
  const env = environment({
    DATABASE_URL: "mysql://root:hunter2-hunter2@db",
    MCP_CLEANUP_BATCH_SIZE: "many-many",
  });
  const event = fire(env, REGULAR_CRON);
  await expect(event).rejects.toThrow(
    /DATABASE_URL must be a connection string.*MCP_CLEANUP_BATCH_SIZE must be/,
  );
  await expect(event).rejects.not.toThrow(/hunter2|many-many/);
  const [line] = logged("session_cleanup_task_failed");
  expect(line).toMatchObject({ kind: "configuration_invalid", cron: REGULAR_CRON });
  expect(JSON.stringify(line)).not.toMatch(/hunter2|many-many/);
});
