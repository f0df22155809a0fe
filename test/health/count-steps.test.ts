// What counts sessions, each routine by itself and at the very instant of a time.
import { beforeEach, describe, expect, test } from "vitest";
import { atOneInstant } from "../support/instant.ts";
import { SEED_FOR } from "../support/session-changes.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
});
const add = (id: string, expiry: string, ended = "NULL", table = "mcp_sessions") =>
  `INSERT INTO ${table} (session_id, principal, created_at, expires_at, ended_at)
   VALUES ('${id}', 'me', '2025-01-01', ${expiry}, ${ended})`;
const ago = (interval: string) => `now() - interval '${interval}'`;
const inAMoment = "now() + interval '1 us'";
const child = "CREATE TABLE a_child () INHERITS (mcp_sessions)";

describe("the census", () => {
  const census = `SELECT json_build_object('total', c.total, 'expired', c.expired, 'at_least', c.expired_at_least,
    'is_overdue', c.is_overdue, 'age', extract(epoch FROM now() - c.oldest_expired)::int) FROM mcp_count_sessions(60) c`;
  const counted = (...rows: string[]) => atOneInstant(database, rows, census);

  test("of no sessions", async () => {
    expect(await counted()).toEqual({ total: 0, expired: 0, at_least: 0, is_overdue: false, age: null });
  });

  test("a session that expires now has expired; one that expires a moment later, or never, has not", async () => {
    const rows = [add("now", "now()"), add("later", inAMoment), add("never", "'infinity'")];
    expect(await counted(...rows)).toEqual({
      total: 3,
      expired: 1,
      at_least: 1,
      is_overdue: false,
      age: 0,
    });
  });

  test("one without an age is overdue, and the oldest is another one", async () => {
    const rows = [add("ever", "'-infinity'"), add("old", ago("30 seconds"))];
    expect(await counted(...rows)).toMatchObject({ expired: 2, is_overdue: true, age: 30 });
  });

  test("a cleanup is overdue from its seconds on", async () => {
    expect(await counted(add("a", `${ago("60 seconds")} + interval '1 us'`))).toMatchObject({
      is_overdue: false,
    });
    expect(await counted(add("b", ago("60 seconds")))).toMatchObject({ is_overdue: true, age: 60 });
  });

  test("what is listed has expired, and makes nothing overdue", async () => {
    const list =
      "INSERT INTO mcp_cleanup_blocked (session_id, reason, tried_at) VALUES ('listed', 'kept', now())";
    const rows = [add("listed", ago("1 hour")), list, add("young", ago("10 seconds"))];
    expect(await counted(...rows)).toEqual({ total: 2, expired: 2, at_least: 2, is_overdue: false, age: 10 });
  });

  test("rows of another program's table are not counted", async () => {
    await database.query(child);
    expect(await counted(add("hers", ago("1 hour"), "NULL", "a_child"))).toMatchObject({ expired: 0 });
  });
});

test("what has expired since the last count is counted by its hour, once", async () => {
  await database.query(child);
  const thisHour = "date_trunc('hour', now())";
  const since = `${thisHour} - interval '3 hours' + interval '10 minutes'`;
  const moment = "interval '1 us'";
  const rows = [
    "DELETE FROM mcp_session_totals WHERE name IN ('expired_until', 'sessions_expired')",
    `INSERT INTO mcp_session_totals VALUES ('expired_until', 0, extract(epoch FROM ${since}) * 1000000)`,
    add("counted before", since),
    add("just after", `${since} + ${moment}`),
    add("end of an hour", `${thisHour} - ${moment}`),
    add("begin of an hour", thisHour),
    add("now", "now()"),
    add("later", inAMoment),
    add("ended", ago("1 minute"), ago("1 minute")),
    add("hers", ago("1 minute"), "NULL", "a_child"),
    "PERFORM mcp_count_expired()",
  ];
  const counts = `SELECT json_object_agg(floor(extract(epoch FROM now()) / 3600)::int - shard / 16, value)
    FROM mcp_session_totals WHERE name = 'sessions_expired'`;
  const told = await atOneInstant(database, rows, counts);
  expect(told).toEqual({ 0: 2, 1: 1, 3: 1 });
  const [row] = await database.query(
    "SELECT value::text FROM mcp_session_totals WHERE name = 'expired_until'",
  );
  // Another count finds what has expired since, and adds it to its hour.
  await database.query("SELECT mcp_count_expired()");
  const [later] = await database.query(
    "SELECT value::text, (SELECT sum(value)::int FROM mcp_session_totals WHERE name = 'sessions_expired') AS all FROM mcp_session_totals WHERE name = 'expired_until'",
  );
  expect(later?.["all"]).toBe(5);
  expect(Number(later?.["value"])).toBeGreaterThan(Number(row?.["value"]));
});

test("one insert in a thousand merges the changes, but for those of a deletion that goes on", async () => {
  await database.query(SEED_FOR);
  const changes = (id: number, number: number, change: number, depth = 0) =>
    `INSERT INTO mcp_session_changes (transaction_id, change_number, change, delete_depth)
     VALUES (${id}, ${number}, ${change}, ${depth})`;
  const rows = [
    "DELETE FROM mcp_session_changes",
    changes(1, -1, 10),
    changes(1, 1, -4),
    changes(2, -1, 100),
    changes(3, 1, -1, 1),
  ];
  const left = "SELECT json_agg(change ORDER BY change) FROM mcp_session_changes";
  const after = (merge: boolean) =>
    atOneInstant(
      database,
      [...rows, `PERFORM setseed(seed_for(${merge}))`, add(String(merge), "now()")],
      left,
    );
  expect(await after(false)).toEqual([-4, -1, 1, 10, 100]);
  expect(await after(true)).toEqual([-1, 107]);
});
