// What the charts are drawn from: every count in its hour of UTC, once, and no gaps.
import { describe, expect, inject, test } from "vitest";
import { connect } from "../../src/db/client.ts";
import { createHistoryStore, type HistoryPoint, historyWindows } from "../../src/page/history-store.ts";
import {
  asSuperuser,
  createDatabase,
  databaseRequests,
  nameOf,
  type TestDatabase,
} from "../support/worker.ts";

const HOUR_MS = 3_600_000;
const storeOf = ({ url }: TestDatabase) =>
  createHistoryStore(connect({ url, endpointOverride: inject("neonEndpoint") }), { timeoutMs: 60_000 });

const isoOf = (hour: number) => new Date(hour * HOUR_MS).toISOString();
const hourOf = (iso: string) => Date.parse(iso) / HOUR_MS;

/** The hour of the database's clock. It may be over at the next statement, so tests compare hours and not places. */
const thisHour = async ({ query }: TestDatabase) =>
  Number((await query("SELECT floor(extract(epoch FROM now()) / 3600)::int AS hour"))[0]?.["hour"]);

const count = ({ query }: TestDatabase, name: string, hour: number, amount: number, shard = 0) =>
  query("INSERT INTO mcp_session_totals (name, shard, value) VALUES ($1, $2::int * 16 + $3::int, $4)", [
    name,
    hour,
    shard,
    amount,
  ]);

const empty = {
  opened: 0,
  ended: 0,
  expired: 0,
  deleted: 0,
  runs: 0,
  runsFailed: 0,
  runsDeleted: 0,
  longestRunMs: null,
};
/** The points in which anything is not 0. */
const marked = (points: HistoryPoint[]) =>
  points.filter((point) => JSON.stringify(point) !== JSON.stringify({ from: point.from, ...empty }));

const shapes = { day: [1, 25], week: [6, 29], month: [24, 31] } as const;

test.each(historyWindows)(
  "a %s has no gaps, and the last point is now, also where nothing was counted",
  async (window) => {
    const database = await createDatabase();
    const { points, since, expiredUntil, takenAt } = await storeOf(database).history(window);
    const [hours, length] = shapes[window];
    const last = Math.floor(hourOf(takenAt) / hours) * hours;
    expect(points).toEqual(
      Array.from({ length }, (_, i) => ({ from: isoOf(last - (length - 1 - i) * hours), ...empty })),
    );
    expect({ since, expiredUntil }).toEqual({ since: null, expiredUntil: null });
  },
);

test.each(historyWindows)(
  "a %s has each kind of event, added up over its hours, shards and labels",
  async (window) => {
    const database = await createDatabase();
    const [hours] = shapes[window];
    const now = await thisHour(database);
    const first = Math.floor(now / hours) * hours - 2 * hours;
    const last = first + hours - 1;
    await count(database, "sessions_opened", first, 1);
    await count(database, "sessions_opened", first, 2, 15);
    await count(database, "sessions_opened", last, 4, 7);
    await count(database, "sessions_opened", last + 1, 1000);
    await count(database, "sessions_ended/client", first, 10);
    await count(database, "sessions_ended/evicted", last, 20, 1);
    await count(database, "sessions_expired", last, 100, 2);
    await count(database, "sessions_deleted/regular", first, 200, 3);
    await count(database, "sessions_deleted/opening", first, 400);
    // Of no hour: counted before there were any.
    await count(database, "sessions_opened", 0, 9999);
    await count(database, "cleanup_runs/regular/completed", 0, 9999);
    const { points } = await storeOf(database).history(window);
    expect(marked(points)).toEqual([
      { ...empty, from: isoOf(first), opened: 7, ended: 30, expired: 100, deleted: 600 },
      { ...empty, from: isoOf(first + hours), opened: 1000 },
    ]);
  },
);

test.each(historyWindows)("a %s begins with the whole of its first point", async (window) => {
  const database = await createDatabase();
  const [hours, length] = shapes[window];
  const store = storeOf(database);
  const { points } = await store.history(window);
  const first = hourOf(points[0]?.from ?? "");
  await count(database, "sessions_opened", first, 1);
  await count(database, "sessions_opened", first - 1, 2);
  await database.query(
    `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, deleted)
     SELECT 'regular', 'cron', t, t, t, t, 'completed', deleted
       FROM (VALUES ($1::timestamptz, 1), ($1::timestamptz - interval '1 microsecond', 2)) AS v (t, deleted)`,
    [isoOf(first)],
  );
  const after = (await store.history(window)).points;
  expect(after).toHaveLength(length);
  expect(hourOf(after[1]?.from ?? "") - hourOf(after[0]?.from ?? "")).toBe(hours);
  // The point may have left the window meanwhile.
  const isShown = after[0]?.from === points[0]?.from;
  const { opened, runsDeleted } = after[0] ?? empty;
  expect({ opened, runsDeleted }).toEqual(
    isShown ? { opened: 1, runsDeleted: 1 } : { opened: 0, runsDeleted: 0 },
  );
});

test("runs are in the hour in which they began: how many, how many failed, what they deleted, the longest", async () => {
  const database = await createDatabase();
  const hour = (await thisHour(database)) - 3;
  const run = (
    minute: number,
    seconds: number | null,
    outcome: string,
    deleted: number,
    code: string | null,
  ) =>
    database.query(
      `INSERT INTO mcp_cleanup_runs
         (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, deleted, error_code)
       SELECT 'immediate', 'cron', t, t, t, t + $2::float8 * interval '1 second', $3, $4, $5
         FROM (SELECT to_timestamp($1) AS t) AS v`,
      [hour * 3600 + minute * 60, seconds, outcome, deleted, code],
    );
  await run(0, 1.5, "completed", 10, null);
  await run(5, 2, "partial", 20, null);
  await run(10, 0.5, "failed", 5, "57014");
  // When it stopped is not known, and what was skipped did nothing.
  await run(15, 3000, "failed", 1, "interrupted");
  await run(20, 4000, "skipped", 0, "busy");
  await run(59, 100, "completed", 1, null);
  await run(60, null, "running", 2, null);
  // A trigger has counted what they deleted.
  await database.query("TRUNCATE mcp_session_totals");
  const { points } = await storeOf(database).history("day");
  expect(marked(points)).toEqual([
    { ...empty, from: isoOf(hour), runs: 5, runsFailed: 2, runsDeleted: 37, longestRunMs: 100_000 },
    { ...empty, from: isoOf(hour + 1), runs: 1, runsDeleted: 2 },
  ]);
});

test("it is said since when there are counts, and until when expired sessions were counted", async () => {
  const database = await createDatabase();
  const hour = await thisHour(database);
  await count(database, "sessions_opened", hour - 2, 1);
  await count(database, "sessions_deleted/regular", hour - 40 * 24, 1);
  await count(database, "sessions_opened", 0, 1);
  await count(database, "expired_until", 0, (hour * 3600 + 90) * 1_000_000);
  const { since, expiredUntil } = await storeOf(database).history("day");
  expect(since).toBe(isoOf(hour - 40 * 24));
  expect(Date.parse(expiredUntil ?? "")).toBe((hour * 3600 + 90) * 1000);
});

test("hours and days are those of UTC, whatever the role's time zone is", async () => {
  const database = await createDatabase();
  await asSuperuser(`ALTER DATABASE ${nameOf(database.url)} SET timezone = 'Asia/Kathmandu'`, database);
  expect(await database.query("SHOW timezone")).toEqual([{ TimeZone: "Asia/Kathmandu" }]);
  const day = Math.floor((await thisHour(database)) / 24) * 24 - 24;
  await count(database, "sessions_opened", day, 1);
  await count(database, "sessions_opened", day + 23, 2);
  const { points, takenAt } = await storeOf(database).history("month");
  expect(marked(points)).toEqual([{ ...empty, from: isoOf(day), opened: 3 }]);
  expect(Math.abs(Date.parse(takenAt) - Date.now())).toBeLessThan(HOUR_MS);
});

describe("the statement", () => {
  test("is one, over a month of totals and 10,000 runs", async () => {
    const database = await createDatabase();
    await database.query(
      `INSERT INTO mcp_session_totals
       SELECT 'sessions_opened', (floor(extract(epoch FROM now()) / 3600)::int - age) * 16, 1 FROM generate_series(0, 750) age`,
    );
    await database.query(
      `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome)
       SELECT 'regular', 'cron', t, t, t, t, 'completed'
         FROM (SELECT now() - i * interval '4 minutes' AS t FROM generate_series(1, 10000) i) AS v`,
    );
    const store = storeOf(database);
    const before = await databaseRequests();
    const { points } = await store.history("month");
    expect((await databaseRequests()) - before).toBe(1);
    expect(points[5]).toMatchObject({ opened: 24, runs: 360 });
  });

  test("is refused as schema_missing before db:migrate, where the totals have no hours", async () => {
    const database = await createDatabase();
    await database.query("DROP FUNCTION mcp_fold_totals");
    await database.query("ALTER TABLE mcp_session_totals ALTER COLUMN shard TYPE smallint");
    await count(database, "sessions_opened", 0, 1);
    await expect(storeOf(database).history("day")).rejects.toMatchObject({ kind: "schema_missing" });
  });
});
