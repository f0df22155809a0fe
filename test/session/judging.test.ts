// Which sessions an opening and a use mean, to the instant, and whatever other programs have written beside them.
import { expect, test } from "vitest";
import { heldOpen } from "../support/locks.ts";
import { sessionsOf } from "../support/mcp.ts";
import { addIdle, live, storesOf } from "../support/stores.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const opening = (key: string, principal: string, limit = 1000) =>
  `mcp_open_session('${key}', '${principal}', 'x', '{}', '{}', 300, NULL, ${limit})`;
const use = (key: string, principal: string, maxLifetimeSeconds = "NULL", touchIntervalSeconds = 60) =>
  `mcp_resume_session('${key}', '${principal}', 3600, ${maxLifetimeSeconds}, ${touchIntervalSeconds})`;

/** Statements of one transaction: now() is one instant for all of them. */
const atOnce = ({ query }: TestDatabase, ...statements: string[]) =>
  query(`DO $do$ BEGIN ${statements.join("; ")}; END $do$`);

const insert = (key: string, principal: string, times: Record<string, string>) => {
  const all = {
    created_at: "now() - interval '1 hour'",
    last_active: "now() - interval '1 second'",
    expires_at: "now() + interval '1 hour'",
    ...times,
  };
  return `INSERT INTO mcp_sessions (session_id, principal, ${Object.keys(all).join(", ")})
          VALUES ('${key}', '${principal}', ${Object.values(all).join(", ")})`;
};

/** Keeps the keys of the sessions that were found, in the order of the statements. */
const found = (statement: string) => `INSERT INTO found SELECT r.session_id FROM ${statement} r`;
const foundKeys = async ({ query }: TestDatabase) =>
  (await query("SELECT key FROM found ORDER BY place")).map(({ key }) => key);

async function withFound(): Promise<TestDatabase> {
  const database = await createDatabase();
  await database.query("CREATE TABLE found (key text, place bigint GENERATED ALWAYS AS IDENTITY)");
  return database;
}

/** Where other programs have written a session that was used a moment ago, so that no use of it is due. */
const unused = "a use that is not due to be written";

test(`${unused} finds the session of its own principal only`, async () => {
  const database = await createDatabase();
  await database.query(insert("k", "alice", {}));
  const sessions = sessionsOf(database);
  expect(await sessions.resume("k", "bob")).toBeUndefined();
  expect(await sessions.resume("other", "alice")).toBeUndefined();
  expect((await sessions.resume("k", "alice"))?.principal).toBe("alice");
});

test(`${unused} finds no session that has ended, also when another program has ended it without expiring it`, async () => {
  const database = await createDatabase();
  await database.query(insert("k", "alice", { ended_at: "now()" }));
  expect(await sessionsOf(database).resume("k", "alice")).toBeUndefined();
});

test(`${unused} finds a session until the instant at which it expires, and not from then on`, async () => {
  const database = await withFound();
  await atOnce(
    database,
    insert("before", "alice", { expires_at: "now() + interval '1 microsecond'" }),
    insert("then", "alice", { expires_at: "now()" }),
    found(use("before", "alice")),
    found(use("then", "alice")),
  );
  expect(await foundKeys(database)).toEqual(["before"]);
});

test(`${unused} finds a session up to the instant at which it is as old as the maximum lifetime, not then`, async () => {
  const database = await withFound();
  const openedAgo = (interval: string) => ({ created_at: `now() - interval '${interval}'` });
  await atOnce(
    database,
    insert("before", "alice", openedAgo("99.999999 seconds")),
    insert("then", "alice", openedAgo("100 seconds")),
    found(use("before", "alice", "100")),
    found(use("then", "alice", "100")),
  );
  expect(await foundKeys(database)).toEqual(["before"]);
});

test("a use is due when the last one is as long ago as the touch interval, and not a microsecond before", async () => {
  const database = await withFound();
  const usedAgo = (interval: string) => ({ last_active: `now() - interval '${interval}'` });
  await atOnce(
    database,
    insert("before", "alice", usedAgo("59.999999 seconds")),
    insert("then", "alice", usedAgo("60 seconds")),
    found(use("before", "alice")),
    found(use("then", "alice")),
    "UPDATE found f SET key = f.key || CASE WHEN s.last_active = now() THEN ' is written' ELSE '' END FROM mcp_sessions s WHERE s.session_id = f.key",
  );
  expect(await foundKeys(database)).toEqual(["before", "then is written"]);
});

// Each of them, because the index may have any of them first.
test.each(["a", "b", "c"])(
  "a use that waited for another one of the same session finds this session, and none beside it: %s",
  async (key) => {
    const database = await createDatabase();
    await addIdle(database, "a", "b", "c");
    const sessions = sessionsOf(database, { timeoutMs: 60_000 });
    const other = await heldOpen(
      database,
      `UPDATE mcp_sessions SET last_active = clock_timestamp(), created_at = now() - interval '2 hours' WHERE session_id = '${key}' RETURNING 1`,
    );
    const using = sessions.resume(key, "alice");
    await other.waitedFor();
    await other.release();
    expect((await using)?.key).toBe(key);
  },
);

test("a use that waited while another program ended its session, without expiring it, finds none and writes nothing", async () => {
  const database = await createDatabase();
  await addIdle(database, "a");
  const sessions = sessionsOf(database, { timeoutMs: 60_000 });
  const ending = await heldOpen(
    database,
    "UPDATE mcp_sessions SET ended_at = now() WHERE session_id = 'a' RETURNING 1",
  );
  const using = sessions.resume("a", "alice");
  await ending.waitedFor();
  await ending.release();
  expect(await using).toBeUndefined();
  expect(
    await database.query("SELECT last_active < now() - interval '50 minutes' AS idle FROM mcp_sessions"),
  ).toEqual([{ idle: true }]);
});

test("expires_at of a use is the next multiple of the step: a 48th of the lifetime, at most half an hour", async () => {
  const database = await createDatabase();
  for (const [ttlSeconds, step] of [
    [4800, 100],
    [86_400, 1800],
    [604_800, 1800],
  ] as const) {
    await database.query("DELETE FROM mcp_sessions");
    await database.query(insert("k", "alice", { last_active: "now() - interval '1 hour'" }));
    const session = await sessionsOf(database, { ttlSeconds }).resume("k", "alice");
    const expiry = (session?.expiresAt?.getTime() ?? 0) / 1000;
    expect(expiry % step).toBe(0);
    expect(expiry - (session?.lastActive?.getTime() ?? 0) / 1000).toBeGreaterThan(ttlSeconds);
    expect(expiry - (session?.lastActive?.getTime() ?? 0) / 1000).toBeLessThanOrEqual(ttlSeconds + step);
  }
});

test("an opening at the limit ends no session of another principal, however long that is idle", async () => {
  const database = await createDatabase();
  const { open } = storesOf(database, 2);
  await database.query(insert("of-bob", "bob", { last_active: "now() - interval '59 minutes 59 seconds'" }));
  await addIdle(database, "a", "b");
  expect(await open("alice")).toBe(1);
  expect(await live(database, "bob")).toEqual(["of-bob"]);
  expect(await live(database, "alice")).toEqual(["b", "new-1"]);
});

test("a session that another program has ended without expiring it does not count towards the limit", async () => {
  const database = await createDatabase();
  const { open } = storesOf(database, 2);
  await addIdle(database, "a", "b");
  await database.query("UPDATE mcp_sessions SET ended_at = now() WHERE session_id = 'b'");
  expect(await open("alice")).toBe(0);
  expect(await database.query("SELECT FROM mcp_sessions WHERE end_reason = 'evicted'")).toEqual([]);
});

test("a session that expires at this instant does not count towards the limit; one that expires after it does", async () => {
  const database = await withFound();
  await atOnce(
    database,
    // Used after the other one, which would be evicted in its place.
    insert("then", "alice", { expires_at: "now()", last_active: "now() - interval '1 millisecond'" }),
    insert("after", "alice", { expires_at: "now() + interval '1 microsecond'" }),
    `INSERT INTO found SELECT ${opening("first", "alice", 2)}`,
    `INSERT INTO found SELECT ${opening("second", "alice", 2)}`,
  );
  expect(await foundKeys(database)).toEqual(["0", "1"]);
});

test.each([
  ["expired", "expires_at = now() - interval '1 second'"],
  ["ended, and not expired,", "ended_at = now()"],
])("a session that another program has %s while it was being evicted is not evicted", async (_, change) => {
  const database = await createDatabase();
  const { open } = storesOf(database, 2);
  await addIdle(database, "a", "b");
  const changing = await heldOpen(
    database,
    `UPDATE mcp_sessions SET ${change} WHERE session_id = 'a' RETURNING 1`,
  );
  const opened = open("alice");
  await changing.waitedFor();
  await changing.release();
  expect(await opened).toBe(0);
  expect(await database.query("SELECT FROM mcp_sessions WHERE end_reason = 'evicted'")).toEqual([]);
});

test("a repeated opening evicts nothing, and counts nothing", async () => {
  const database = await createDatabase();
  await addIdle(database, "a", "b");
  const open = (limit: number) => database.query(`SELECT ${opening("k", "alice", limit)} AS evicted`);
  expect(await open(10)).toEqual([{ evicted: 0 }]);
  expect(await open(1)).toEqual([{ evicted: 0 }]);
  expect(await live(database, "alice")).toEqual(["a", "b", "k"]);
  expect(
    await database.query("SELECT name, sum(value)::int AS sum FROM mcp_session_totals GROUP BY name"),
  ).toEqual([{ name: "sessions_opened", sum: 1 }]);
});

test("an amount of one is added to a total, one of zero or less adds nothing and makes no row", async () => {
  const database = await createDatabase();
  for (const amount of [0, -1]) await database.query(`SELECT mcp_add_to_total('t', ${amount})`);
  expect(await database.query("SELECT FROM mcp_session_totals")).toEqual([]);
  expect(await database.query("SELECT mcp_add_to_total('t', 1)::int AS amount")).toEqual([{ amount: 1 }]);
  expect(await database.query("SELECT value::int AS value FROM mcp_session_totals")).toEqual([{ value: 1 }]);
});
