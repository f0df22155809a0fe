// The figures beside the census, at the bounds of their hours and of the last day.
import { beforeAll, beforeEach, expect, inject, test } from "vitest";
import { sql } from "drizzle-orm";
import { connect } from "../../src/db/client.ts";
import type { Census } from "../../src/health/grade.ts";
import type { HealthStore } from "../../src/health/store.ts";
import { createOverviewStore, cuHours, type Overview } from "../../src/page/overview-store.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";
import { stopClock } from "./stopped-clock.ts";

// Three minutes are left of the hour in which the day begins, and 57 have passed of this one.
const NOW = "2001-09-10T05:57:00Z";
const A_DAY_AGO = "2001-09-09T05:57:00Z";
const MINUTE_MS = 60_000;

let database: TestDatabase;
const overdues: number[] = [];
let takeOverview: () => Promise<Overview>;

const census: Census = {
  total: 3,
  expired: 1,
  expiredAtLeast: 1,
  isOverdue: false,
  oldestExpiredAt: null,
  history: {
    regular: { lastRun: null, failuresInARow: 0, lastSuccessAt: null },
    immediate: { lastRun: null, failuresInARow: 0, lastSuccessAt: null },
  },
  mayHideRows: false,
  wakesAt: undefined,
  totals: {},
};

beforeAll(async () => {
  database = await createDatabase();
  await stopClock(database, NOW);
  const connection = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  // Asks for nothing but what the overview adds.
  const health: HealthStore = {
    takeCensus: () => Promise.reject(new Error("It asks for nothing more")),
    async takeCensusWith(overdueSeconds, { query, schema }) {
      overdues.push(overdueSeconds);
      const { rows } = await connection.run(
        { name: "the figures", budgetMs: MINUTE_MS, isIdempotent: true },
        (db) => db.execute(sql`SELECT (${query}) AS more`),
      );
      return { census, more: schema.parse(rows[0]?.["more"]) };
    },
  };
  // The first time is read before the round trip, the second one after it.
  takeOverview = () => {
    const times = [new Date("2001-09-10T06:00:00.000Z"), new Date("2001-09-10T06:00:00.012Z")];
    return createOverviewStore(health, { now: () => times.shift() ?? new Date(0) }).takeOverview(7200);
  };
});
beforeEach(() => database.query("TRUNCATE mcp_sessions, mcp_session_totals, mcp_cleanup_runs"));

const awakeMinutes = async () => (await takeOverview()).figures.awakeSeconds / 60;

const addSession = (id: string, expiresAt: string | null, lastActive = "2001-09-10T05:00:00Z") =>
  database.query("INSERT INTO mcp_sessions (session_id, expires_at, last_active) VALUES ($1, $2, $3)", [
    id,
    expiresAt,
    lastActive,
  ]);

/** A trigger counts the end of a run in this hour of the real clock, which is none of these. */
const addRun = (start: string, end: string | null, outcome = "completed", code: string | null = null) =>
  database.query(
    `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, error_code)
     VALUES ('regular', 'cron', now(), now(), $1, $2, $3, $4)`,
    [start, end, outcome, code],
  );

const count = (name: string, hour: string, shard = 0) =>
  database.query(
    "INSERT INTO mcp_session_totals (name, shard, value) VALUES ($1, $2::int * 16 + $3::int, 1)",
    [name, Date.parse(hour) / 3_600_000, shard],
  );

test("an overview is the census, the figures, when they were taken and how long that took", async () => {
  overdues.length = 0;
  expect(await takeOverview()).toEqual({
    census,
    figures: { oldestActive: null, awakeSeconds: 0 },
    tookMs: 12,
    takenAt: new Date("2001-09-10T06:00:00.012Z"),
  });
  expect(overdues).toEqual([7200]);
});

test("a session that expires now is not active, and one that never does is not the oldest", async () => {
  await addSession("now", NOW);
  await addSession("never", null);
  expect((await takeOverview()).figures.oldestActive).toBeNull();
  await addSession("next", "2001-09-10T05:57:00.001Z", "2001-09-10T04:30:00.123Z");
  await addSession("later", "2001-09-10T05:57:00.002Z");
  expect((await takeOverview()).figures.oldestActive).toEqual({
    lastActive: new Date("2001-09-10T04:30:00.123Z"),
    expiresAt: new Date("2001-09-10T05:57:00.001Z"),
  });
});

test("a session of a child table is not ours", async () => {
  await database.query("CREATE TABLE archive () INHERITS (mcp_sessions)");
  await database.query(
    "INSERT INTO archive (session_id, expires_at, last_active) VALUES ('kept', 'infinity', now())",
  );
  const { figures } = await takeOverview();
  await database.query("DROP TABLE archive");
  expect(figures.oldestActive).toBeNull();
});

test("times that a Date cannot hold are not known", async () => {
  await addSession("far", "infinity", "-infinity");
  expect((await takeOverview()).figures.oldestActive).toEqual({ lastActive: null, expiresAt: null });
});

test.each([
  ["within an hour, and five minutes more", "2001-09-10T01:10:00Z", "2001-09-10T01:20:00Z", 15],
  ["over several hours, each minute once", "2001-09-09T22:50:00Z", "2001-09-10T02:10:00Z", 205],
  ["until now, when its five minutes are not over", "2001-09-10T05:50:00Z", "2001-09-10T05:55:00Z", 7],
  ["until now, when its end is said to come", "2001-09-10T05:50:00Z", "2001-09-10T09:00:00Z", 7],
  ["for five minutes, when it ends before it starts", "2001-09-10T01:10:00Z", "2001-09-10T00:00:00Z", 5],
  ["of the last day, not at its very beginning", A_DAY_AGO, "2001-09-09T07:00:00Z", 0],
  ["of the last day, just after its beginning", "2001-09-09T05:57:01Z", "2001-09-09T05:59:01Z", 7],
  ["of the day before, whenever it ends", "2001-09-09T05:00:00Z", "2001-09-10T01:00:00Z", 0],
])("a run is awake %s", async (_rule, start, end, minutes) => {
  await addRun(start, end);
  expect(await awakeMinutes()).toBe(minutes);
});

test("two runs at once are awake once", async () => {
  await addRun("2001-09-10T01:10:00Z", "2001-09-10T01:20:00Z");
  await addRun("2001-09-10T01:15:00Z", "2001-09-10T01:30:00Z");
  await addRun("2001-09-10T03:00:00Z", "2001-09-10T03:00:00Z", "skipped", "busy");
  expect(await awakeMinutes()).toBe(30);
});

test("of an interrupted run only its start is known", async () => {
  await addRun("2001-09-10T01:10:00Z", "2001-09-10T04:10:00Z", "failed", "interrupted");
  expect(await awakeMinutes()).toBe(5);
  await addRun("2001-09-10T02:10:00Z", "2001-09-10T02:20:00Z", "failed", "57014");
  expect(await awakeMinutes()).toBe(20);
});

test("a run that goes on is awake until now", async () => {
  await addRun("2001-09-10T04:57:00Z", null, "running");
  expect(await awakeMinutes()).toBe(60);
});

test("an hour in which something was counted is awake for five minutes, or for as long as it is of the day", async () => {
  await count("sessions_opened", "2001-09-10T03:00:00Z");
  await count("sessions_opened", "2001-09-10T03:00:00Z", 15);
  await count("sessions_ended/client", "2001-09-10T03:00:00Z");
  expect(await awakeMinutes()).toBe(5);
  await count("sessions_deleted/regular", "2001-09-10T05:00:00Z");
  expect(await awakeMinutes()).toBe(10);
  // Of the first hour three minutes are of the last day.
  await count("sessions_opened", "2001-09-09T05:00:00Z");
  expect(await awakeMinutes()).toBe(13);
  await count("sessions_opened", "2001-09-09T04:00:00Z", 15);
  await count("sessions_opened", "1970-01-01T00:00:00Z");
  expect(await awakeMinutes()).toBe(13);
});

test("an hour in which sessions only expired shows nothing", async () => {
  await count("sessions_expired", "2001-09-10T03:00:00Z");
  expect(await awakeMinutes()).toBe(0);
});

test("in an hour the runs and the counts are not added up: the longer of them counts", async () => {
  await addRun("2001-09-10T01:10:00Z", "2001-09-10T01:20:00Z");
  await count("sessions_opened", "2001-09-10T01:00:00Z");
  // One second of this run is of the next hour.
  await addRun("2001-09-10T02:50:00Z", "2001-09-10T02:55:01Z");
  await count("sessions_opened", "2001-09-10T03:00:00Z");
  expect(await awakeMinutes()).toBe(15 + 10 + 5);
});

test("the smallest compute uses a quarter of a CU-hour an hour", () => {
  expect([cuHours(0), cuHours(3600), cuHours(5400)]).toEqual([0, 0.25, 0.375]);
});
