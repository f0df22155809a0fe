// The figures beside the census: what they are of, and that they cost no statement of their own.
import { beforeEach, expect, inject, test } from "vitest";
import { neverAsleep } from "../../src/cleanup/idle-sleep.ts";
import { connect } from "../../src/db/client.ts";
import { createHealthStore } from "../../src/health/store.ts";
import { createOverviewStore, cuHours } from "../../src/page/overview-store.ts";
import { createDatabase, databaseRequests, type TestDatabase } from "../support/worker.ts";

let database: TestDatabase;
let started: unknown;
beforeEach(async () => {
  database = await createDatabase();
  started = (await database.query("SELECT now()::text AS now"))[0]?.["now"];
});

const now = () => new Date();
const healthStore = () =>
  createHealthStore(connect({ url: database.url, endpointOverride: inject("neonEndpoint") }), {
    timeoutMs: 60_000,
    idleSleep: neverAsleep,
    now,
  });
const takeOverview = () => createOverviewStore(healthStore(), { now }).takeOverview(7200);
const awakeMinutes = async () => (await takeOverview()).figures.awakeSeconds / 60;

const insertSession = (id: string, expiresIn: string, activeAgo: string) =>
  database.query(
    "INSERT INTO mcp_sessions (session_id, expires_at, last_active) VALUES ($1, now() + $2::interval, now() - $3::interval)",
    [id, expiresIn, activeAgo],
  );

/** Times are in minutes before the start of the test. */
const insertRun = async (
  start: number,
  end: number | null,
  outcome = "completed",
  code: string | null = null,
) => {
  await database.query(
    `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, error_code)
     SELECT 'regular', 'cron', now(), now(), $1::timestamptz - make_interval(mins => $2),
            $1::timestamptz - make_interval(mins => $3), $4, $5`,
    [started, start, end, outcome, code],
  );
  // Its end is counted in this hour.
  await database.query("TRUNCATE mcp_session_totals");
};

test("they and the census of a health check are one statement", async () => {
  await insertSession("a", "1 hour", "1 minute");
  await insertSession("b", "-1 hour", "2 hours");
  const census = await healthStore().takeCensus(7200);
  const before = await databaseRequests();
  const overview = await takeOverview();
  expect((await databaseRequests()) - before).toBe(1);
  expect(overview.census).toEqual(census);
  expect(overview.census).toMatchObject({ total: 2, expired: 1 });
  expect(overview.tookMs).toBeGreaterThanOrEqual(0);
  expect(Math.abs(overview.takenAt.getTime() - Date.now())).toBeLessThan(3_600_000);
});

test("the oldest active session is the one that expires next; an expired or ended one is none", async () => {
  expect((await takeOverview()).figures.oldestActive).toBeNull();
  await insertSession("expired", "-1 second", "9 hours");
  await database.query(
    "INSERT INTO mcp_sessions (session_id, expires_at, ended_at, last_active) VALUES ('ended', now(), now(), now() - interval '9 hours')",
  );
  await database.query("INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('never', NULL)");
  expect((await takeOverview()).figures.oldestActive).toBeNull();
  await insertSession("later", "2 hours", "1 minute");
  await insertSession("next", "1 hour", "1 hour");
  const [next] = await database.query(
    `SELECT floor(extract(epoch FROM last_active) * 1000)::float8 AS active, floor(extract(epoch FROM expires_at) * 1000)::float8 AS expires
       FROM mcp_sessions WHERE session_id = 'next'`,
  );
  expect((await takeOverview()).figures.oldestActive).toEqual({
    lastActive: new Date(Number(next?.["active"])),
    expiresAt: new Date(Number(next?.["expires"])),
  });
});

test("times that a Date cannot hold are not shown", async () => {
  await database.query(
    "INSERT INTO mcp_sessions (session_id, expires_at, last_active) VALUES ('far', 'infinity', '-infinity')",
  );
  expect((await takeOverview()).figures.oldestActive).toEqual({ lastActive: null, expiresAt: null });
});

test("without records nothing shows that the compute was awake", async () => {
  expect(await awakeMinutes()).toBe(0);
});

test("a run keeps the compute awake from its start to five minutes after its end, and two at once do so once", async () => {
  await insertRun(600, 590);
  expect(await awakeMinutes()).toBeCloseTo(15, 3);
  await insertRun(593, 588);
  expect(await awakeMinutes()).toBeCloseTo(17, 3);
  await insertRun(400, 399, "failed", "57014");
  expect(await awakeMinutes()).toBeCloseTo(23, 3);
  await insertRun(300, 300, "skipped", "busy");
  expect(await awakeMinutes()).toBeCloseTo(28, 3);
});

test("of an interrupted run only its start is known, and one that is running keeps it awake until now", async () => {
  await insertRun(600, 100, "failed", "interrupted");
  expect(await awakeMinutes()).toBeCloseTo(5, 3);
  await insertRun(20, null, "running");
  const minutes = await awakeMinutes();
  // However long this test takes.
  expect(minutes).toBeGreaterThanOrEqual(25);
  expect(minutes).toBeLessThan(5 + 24 * 60);
});

test("a run of yesterday counts from a day ago on, and nothing counts twice or in the future", async () => {
  await insertRun(24 * 60 + 1, 24 * 60 - 30);
  expect(await awakeMinutes()).toBe(0);
  await insertRun(24 * 60 - 1, -60);
  const minutes = await awakeMinutes();
  expect(minutes).toBeGreaterThanOrEqual(24 * 60 - 1);
  expect(minutes).toBeLessThanOrEqual(24 * 60);
});

test("an hour in which something was counted is awake for five minutes at least; expiry needs nobody", async () => {
  const count = (name: string, hoursAgo: number, shard = 0) =>
    database.query(
      "INSERT INTO mcp_session_totals SELECT $1, (floor(extract(epoch FROM now()) / 3600)::int - $2::int) * 16 + $3::int, 1",
      [name, hoursAgo, shard],
    );
  await count("sessions_opened", 3);
  await count("sessions_opened", 3, 1);
  await count("sessions_ended/client", 3);
  expect(await awakeMinutes()).toBeCloseTo(5, 3);
  await count("sessions_deleted/opening", 8, 15);
  expect(await awakeMinutes()).toBeCloseTo(10, 3);
  await count("sessions_expired", 12);
  await count("sessions_opened", 26);
  expect(await awakeMinutes()).toBeCloseTo(10, 3);
});

test("the smallest compute needs 0.25 CU-hours an hour", () => {
  expect(cuHours(0)).toBe(0);
  expect(cuHours(2 * 3600)).toBe(0.5);
});
