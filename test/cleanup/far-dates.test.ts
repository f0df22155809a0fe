// Times at the ends of what PostgreSQL can hold, in rows of another program: runs delete what has expired and nothing else.
import { expect, test } from "vitest";
import { storeOf } from "../support/cleanup.ts";
import { health } from "../support/health.ts";
import { addSessions, createDatabase, remaining, type TestDatabase } from "../support/worker.ts";

const expired = {
  forever: "-infinity",
  julian: "4713-11-24 00:00:00 BC",
  caesar: "0044-03-15 12:00:00 BC",
  one: "0001-01-01 00:00:00+00",
  epoch: "1969-12-31 23:59:59.999999+00",
};
const live = {
  never: null,
  infinite: "infinity",
  python: "9999-12-31 23:59:59.999999-05",
  javascript: "275761-01-01 00:00:00+00",
  last: "294276-12-31 23:59:59.999999+00",
};

const clean = (database: TestDatabase, settings = {}) =>
  storeOf(database, settings).clean("regular", new Date());

test("what has expired goes, what has not stays, and health is well before and after", async () => {
  const database = await createDatabase();
  await addSessions(database, { ...expired, ...live });
  await database.query("UPDATE mcp_sessions SET created_at = expires_at, last_active = expires_at");
  expect(await health(database, "/session-health?verbose=1")).toMatchObject({ status: 200 });
  expect(await clean(database)).toMatchObject({ outcome: "completed", deleted: 5, blocked: 0 });
  expect(await remaining(database)).toEqual(Object.keys(live).toSorted());
  expect(await health(database)).toMatchObject({ status: 200, body: { status: "healthy" } });
});

test("the first expiry of what is left is told as far as a JavaScript Date goes", async () => {
  const database = await createDatabase();
  await addSessions(database, { last: live.last, infinite: live.infinite, never: null });
  expect((await clean(database)).earliestExpiry?.getTime()).toBe(8_640_000_000_000_000);
});

test.each(Object.values(live))(
  "a session that ended two minutes ago goes, whenever it was opened, and one that another program ends at that time: %s",
  async (time) => {
    const database = await createDatabase();
    await database.query(
      `INSERT INTO mcp_sessions (session_id, created_at, last_active, expires_at, ended_at)
     VALUES ('ended', $1, $1, now() - interval '3 minutes', now() - interval '3 minutes'),
            ('ended at that time', $1, $1, now() - interval '3 minutes', $1)`,
      [time],
    );
    expect(await clean(database)).toMatchObject({ outcome: "completed", deleted: 2 });
  },
);

test("what expired before all time does not make the first range of a run as wide as all time", async () => {
  const database = await createDatabase();
  await addSessions(database, { forever: expired.forever, caesar: expired.caesar, one: expired.one });
  const found = await database.query(
    `SELECT found_rows::int AS found, first_expiry = $1 AS caesar, last_expiry = $2 AS one
       FROM mcp_delete_oldest('-infinity', now(), now(), now(), 10, false, false)`,
    [expired.caesar, expired.one],
  );
  expect(found).toEqual([{ found: 3, caesar: true, one: true }]);
});

test.each(["i", "(i * 4099::bigint) % 6000"])(
  "in bulk, too, with thousands of years between the first and the last: %s",
  async (position) => {
    const database = await createDatabase();
    await database.query(
      `INSERT INTO mcp_sessions (session_id, client_info, expires_at)
       SELECT i::text, jsonb_build_object('padding', repeat('x', 1400)),
              timestamptz '4713-11-24 00:00:00 BC' + (${position}) * interval '1 year' * 1.3
         FROM generate_series(0, 5999) i`,
    );
    await addSessions(database, expired);
    const [before] = await database.query(
      "SELECT count(*) FILTER (WHERE expires_at > now())::int AS live, count(*)::int AS rows FROM mcp_sessions",
    );
    const report = await clean(database, { batchSize: 100 });
    expect(report).toMatchObject({ outcome: "completed", blocked: 0, errorCode: null });
    expect(report.deleted).toBe(Number(before?.["rows"]) - Number(before?.["live"]));
    expect(await database.query("SELECT count(*)::int FROM mcp_sessions")).toEqual([
      { count: before?.["live"] },
    ]);
  },
);
