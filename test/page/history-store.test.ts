// The statement of the history, at the bounds of its hours.
import { beforeAll, beforeEach, expect, inject, test } from "vitest";
import { connect, type Operation } from "../../src/db/client.ts";
import { createHistoryStore, type HistoryPoint, type HistoryWindow } from "../../src/page/history-store.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";
import { stopClock } from "./stopped-clock.ts";

// A Monday.
const NOW = "2001-09-10T17:20:30.456Z";
const HOUR_MS = 3_600_000;

let database: TestDatabase;
const operations: Operation[] = [];
let history: (window: HistoryWindow) => ReturnType<ReturnType<typeof createHistoryStore>["history"]>;

beforeAll(async () => {
  database = await createDatabase();
  await stopClock(database, NOW);
  const connection = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  const store = createHistoryStore(
    {
      run(operation, work) {
        operations.push(operation);
        return connection.run(operation, work);
      },
    },
    { timeoutMs: 60_000 },
  );
  history = (window) => store.history(window);
});
beforeEach(() => database.query("TRUNCATE mcp_session_totals, mcp_cleanup_runs"));

interface Count {
  name: string;
  /** A time, or its hours since 1970. */
  hour: string | number;
  value?: number;
  shard?: number;
}

const insertCounts = (...counts: Count[]) =>
  database.query(
    `INSERT INTO mcp_session_totals (name, shard, value)
     SELECT name, hour * 16 + shard, value
       FROM jsonb_to_recordset($1::jsonb) AS counts (name text, hour integer, shard integer, value bigint)`,
    [
      JSON.stringify(
        counts.map(({ name, hour, value = 1, shard = 0 }) => ({
          name,
          hour: typeof hour === "number" ? hour : Date.parse(hour) / HOUR_MS,
          shard,
          value,
        })),
      ),
    ],
  );

interface Run {
  at: string;
  ms?: number | null;
  outcome?: string;
  deleted?: number;
  code?: string;
}

/** Without what a trigger counts of them. */
async function insertRuns(...runs: Run[]) {
  await database.query(
    `INSERT INTO mcp_cleanup_runs
       (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, deleted, error_code)
     SELECT 'regular', 'cron', at, at, at, at + ms * interval '1 millisecond', outcome, deleted, code
       FROM jsonb_to_recordset($1::jsonb)
              AS runs (at timestamptz, ms float8, outcome text, deleted bigint, code text)`,
    [JSON.stringify(runs.map((run) => ({ ms: 0, outcome: "completed", deleted: 0, ...run })))],
  );
  await database.query("TRUNCATE mcp_session_totals");
}

const nothing = {
  opened: 0,
  ended: 0,
  expired: 0,
  deleted: 0,
  runs: 0,
  runsFailed: 0,
  runsDeleted: 0,
  longestRunMs: null,
};
/** The points in which something is not as in `nothing`. */
const marked = (points: HistoryPoint[]) =>
  points.filter((point) => JSON.stringify(point) !== JSON.stringify({ from: point.from, ...nothing }));

const windows = [
  {
    window: "day",
    hours: 1,
    points: 25,
    first: "2001-09-09T17:00:00.000Z",
    last: "2001-09-10T17:00:00.000Z",
  },
  {
    window: "week",
    hours: 6,
    points: 29,
    first: "2001-09-03T12:00:00.000Z",
    last: "2001-09-10T12:00:00.000Z",
  },
  {
    window: "month",
    hours: 24,
    points: 31,
    first: "2001-08-11T00:00:00.000Z",
    last: "2001-09-10T00:00:00.000Z",
  },
] as const;

test.each(windows)("a $window has $points points of $hours h, the last of now", async (shape) => {
  const { window, hours, points: length, first, last } = shape;
  const from = (i: number) => new Date(Date.parse(first) + i * hours * HOUR_MS).toISOString();
  const points = Array.from({ length }, (_, i) => ({ from: from(i), ...nothing }));
  expect(points.at(-1)?.from).toBe(last);
  expect(await history(window)).toEqual({ points, since: null, expiredUntil: null, takenAt: NOW });
});

test.each(windows)("a $window counts from the first hour of its first point to the last", async (shape) => {
  const { window, hours, first, last } = shape;
  const [begin, end] = [Date.parse(first) / HOUR_MS, Date.parse(last) / HOUR_MS];
  await insertCounts(
    { name: "sessions_opened", hour: begin - 1 },
    { name: "sessions_opened", hour: begin, value: 2 },
    { name: "sessions_opened", hour: begin + hours - 1, value: 4, shard: 15 },
    { name: "sessions_opened", hour: begin + hours, value: 8 },
    { name: "sessions_opened", hour: end - 1, value: 16 },
    { name: "sessions_opened", hour: end, value: 32 },
  );
  const { points } = await history(window);
  const opened = points.map((point) => point.opened);
  expect([opened[0], opened[1], opened.at(-2), opened.at(-1)]).toEqual([6, 8, 16, 32]);
  expect(opened.slice(2, -2).every((value) => value === 0)).toBe(true);
});

test.each(windows)("a $window has a run in the point in which it began", async (shape) => {
  const { window, hours, first, last } = shape;
  const at = (place: string, offsetMs: number) => new Date(Date.parse(place) + offsetMs).toISOString();
  await insertRuns(
    { at: at(first, -1), deleted: 1 },
    { at: first, deleted: 2 },
    { at: at(first, hours * HOUR_MS - 1), deleted: 4 },
    { at: at(first, hours * HOUR_MS), deleted: 8 },
    { at: at(last, -1), deleted: 16 },
    { at: last, deleted: 32 },
  );
  const { points } = await history(window);
  expect(marked(points).map(({ from, runs, runsDeleted }) => [from, runs, runsDeleted])).toEqual([
    [first, 2, 6],
    [at(first, hours * HOUR_MS), 1, 8],
    [at(last, -hours * HOUR_MS), 1, 16],
    [last, 1, 32],
  ]);
});

test("a point has each kind of event by its name, and nothing else", async () => {
  const hour = "2001-09-10T09:00:00Z";
  await insertCounts(
    { name: "sessions_opened", hour },
    { name: "sessions_opened", hour, value: 2, shard: 7 },
    { name: "sessions_ended/client", hour, value: 10 },
    { name: "sessions_ended/evicted", hour, value: 20 },
    { name: "sessions_expired", hour, value: 100 },
    { name: "sessions_deleted/regular", hour, value: 1000 },
    { name: "sessions_deleted/immediate", hour, value: 2000 },
    { name: "sessions_merged", hour, value: 50_000 },
  );
  const { points } = await history("day");
  expect(marked(points)).toEqual([
    { ...nothing, from: "2001-09-10T09:00:00.000Z", opened: 3, ended: 30, expired: 100, deleted: 3000 },
  ]);
});

test("a point has how many runs were not skipped, how many failed, what they deleted, and the longest", async () => {
  await insertRuns(
    { at: "2001-09-10T09:00:00Z", ms: 1234.5, deleted: 10 },
    { at: "2001-09-10T09:20:00Z", ms: 200, deleted: 5, outcome: "failed", code: "57014" },
    { at: "2001-09-10T09:40:00Z", ms: 100, deleted: 3, outcome: "partial" },
    { at: "2001-09-10T09:45:00Z", ms: null, deleted: 2, outcome: "running" },
    { at: "2001-09-10T09:50:00Z", ms: 9000, deleted: 1, outcome: "failed", code: "interrupted" },
    { at: "2001-09-10T09:55:00Z", ms: 8000, outcome: "skipped", code: "busy" },
    { at: "2001-09-10T11:00:00Z", ms: 7000, outcome: "skipped", code: "duplicate" },
    { at: "2001-09-10T12:00:00Z", ms: 6000, outcome: "failed", code: "interrupted" },
  );
  const { points } = await history("day");
  expect(marked(points)).toEqual([
    {
      ...nothing,
      from: "2001-09-10T09:00:00.000Z",
      runs: 5,
      runsFailed: 2,
      runsDeleted: 21,
      longestRunMs: 1234.5,
    },
    { ...nothing, from: "2001-09-10T12:00:00.000Z", runs: 1, runsFailed: 1 },
  ]);
});

test("counts begin with the first row of an hour; a row of 0 to 15 is of none", async () => {
  await insertCounts({ name: "sessions_opened", hour: 0, shard: 15 });
  expect((await history("day")).since).toBeNull();
  await insertCounts({ name: "sessions_opened", hour: 3, shard: 2 });
  expect((await history("day")).since).toBe("1970-01-01T03:00:00.000Z");
  await insertCounts({ name: "sessions_ended/client", hour: 1 });
  expect((await history("day")).since).toBe("1970-01-01T01:00:00.000Z");
  await database.query("TRUNCATE mcp_session_totals");
  await insertCounts({ name: "sessions_opened", hour: "2001-07-01T05:00:00Z", shard: 15 });
  expect((await history("day")).since).toBe("2001-07-01T05:00:00.000Z");
});

test("until when expired sessions were counted is a total of its own, in microseconds", async () => {
  await insertCounts(
    { name: "sessions_opened", hour: "2001-09-10T09:00:00Z" },
    { name: "expired_until", hour: 0, value: Date.parse("2001-09-10T16:59:59.123Z") * 1000 + 999 },
  );
  expect((await history("day")).expiredUntil).toBe("2001-09-10T16:59:59.123Z");
});

test("the statement may be repeated, and has the time that it is given", async () => {
  operations.length = 0;
  await history("week");
  expect(operations).toEqual([{ name: "reading the history", budgetMs: 60_000, isIdempotent: true }]);
});

test("a database whose totals have no hours is refused", async () => {
  await database.query("ALTER FUNCTION mcp_fold_totals RENAME TO fold_nothing");
  await expect(history("day")).rejects.toMatchObject({ kind: "schema_missing" });
  await database.query("ALTER FUNCTION fold_nothing RENAME TO mcp_fold_totals");
  expect((await history("day")).points).toHaveLength(25);
});
