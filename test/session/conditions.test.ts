// Which sessions are live, and what an end does to those that are meant, to the instant.
import { neon, neonConfig } from "@neondatabase/serverless";
import { type SQL, sql } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { END_LIMIT, endedWhere, type Ending, isLive, sessionHandle } from "../../src/session/conditions.ts";
import { heldOpen } from "../support/locks.ts";
import { addIdle, fill } from "../support/stores.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

/** The rows of each of these statements. now() is one instant for all of them. */
async function atOnce({ url }: TestDatabase, ...statements: SQL[]) {
  neonConfig.fetchEndpoint = inject("neonEndpoint");
  const client = neon(url);
  const dialect = new PgDialect();
  const queries = statements.map((statement) => dialect.sqlToQuery(statement));
  return client.transaction(queries.map(({ sql: text, params }) => client.query(text, params)));
}

describe("a session is live", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });

  const usual = {
    ended_at: "NULL",
    expires_at: "now() + interval '1 hour'",
    created_at: "now() - interval '1 hour'",
  };

  test.each<[what: string, times: Partial<typeof usual>, maxLifetimeSeconds: number | null, is: boolean]>([
    ["when it has neither ended nor expired", {}, null, true],
    ["not when it has been ended, also before it expires", { ended_at: "now()" }, null, false],
    ["not when it expires at this instant", { expires_at: "now()" }, null, false],
    ["not when another program lets it never expire", { expires_at: "NULL" }, null, false],
    ["at any age, when there is no maximum", { created_at: "'4713-01-01 BC'" }, null, true],
    ["a microsecond below it", { created_at: "now() - interval '99.999999 seconds'" }, 100, true],
    ["not when it is as old as it", { created_at: "now() - interval '100 seconds'" }, 100, false],
    ["not when nobody knows its age", { created_at: "'-infinity'" }, null, false],
  ])("%s", async (_, times, maxLifetimeSeconds, is) => {
    const columns = Object.entries({ ...usual, ...times }).map(
      ([name, at]) => `(${at})::timestamptz AS ${name}`,
    );
    const [rows] = await atOnce(
      database,
      sql`SELECT (${isLive(maxLifetimeSeconds)}) IS TRUE AS is_live FROM (SELECT ${sql.raw(columns.join(", "))}) AS s`,
    );
    expect(rows).toEqual([{ is_live: is }]);
  });
});

/** Ends session `a`, or what is meant in its place. */
const end = (over: Partial<Ending> = {}) => sql`
  WITH ${endedWhere({
    meant: sql`session_id = 'a'`,
    endable: isLive(null),
    reason: "client",
    isRepeated: false,
    timeoutMs: 10_000,
    ...over,
  })} SELECT count FROM ended_count`;
const OF_ALICE = { meant: sql`principal = 'alice'`, ownedBy: "alice" };

async function countOf(database: TestDatabase, statement: SQL) {
  const [rows] = await atOnce(database, statement);
  return rows?.[0]?.["count"];
}

const totals = ({ query }: TestDatabase) =>
  query(
    "SELECT name, sum(value)::int AS total FROM mcp_session_totals WHERE name LIKE '%ended%' GROUP BY name",
  );
const stateOf = ({ query }: TestDatabase) =>
  query("SELECT session_id AS key, end_reason AS reason, ended_at, expires_at FROM mcp_sessions ORDER BY 1");
const endedKeys = async (database: TestDatabase) =>
  (await stateOf(database)).filter(({ reason }) => reason !== null).map(({ key }) => key);

test.each(["client", "operator"] as const)(
  "what is meant ends for its reason, at this instant, and is counted: %s",
  async (reason) => {
    const database = await createDatabase();
    await addIdle(database, "a", "b");
    const [counts, rows] = await atOnce(
      database,
      end({ reason }),
      sql`SELECT session_id, ended_at = now() AND expires_at = now() AS is_now, end_reason FROM mcp_sessions ORDER BY 1`,
    );
    expect(counts).toEqual([{ count: 1 }]);
    expect(rows).toEqual([
      { session_id: "a", is_now: true, end_reason: reason },
      { session_id: "b", is_now: false, end_reason: null },
    ]);
    expect(await totals(database)).toEqual([{ name: `sessions_ended/${reason}`, total: 1 }]);
  },
);

test("what has expired, was ended before or is not there is not ended, and not counted", async () => {
  const database = await createDatabase();
  await addIdle(database, "expired", "ended");
  await database.query("UPDATE mcp_sessions SET expires_at = now() WHERE session_id = 'expired'");
  await database.query(
    "UPDATE mcp_sessions SET ended_at = now(), end_reason = 'client' WHERE session_id = 'ended'",
  );
  const before = await stateOf(database);
  for (const key of ["expired", "ended", "nobody's"])
    expect(await countOf(database, end({ meant: sql`session_id = ${key}` }))).toBe(0);
  expect(await countOf(database, end(OF_ALICE))).toBe(0);
  expect(await stateOf(database)).toEqual(before);
  expect(await totals(database)).toEqual([]);
});

test.each([
  ["client", "0 seconds", 1],
  ["client", "9.999999 seconds", 1],
  ["client", "10 seconds", 0],
  ["client", "11 seconds", 0],
  ["operator", "0 seconds", 0],
])("an end that is repeated counts what was ended by its %s %s ago: %i", async (reason, ago, count) => {
  const database = await createDatabase();
  await addIdle(database, "a");
  const [, repeated, bulk, rows, other] = await atOnce(
    database,
    sql`UPDATE mcp_sessions SET ended_at = now() - ${ago}::interval, expires_at = now() - ${ago}::interval, end_reason = ${reason}`,
    end({ isRepeated: true }),
    end({ isRepeated: true, ...OF_ALICE }),
    sql`SELECT ended_at = now() - ${ago}::interval AS is_as_before, end_reason AS reason FROM mcp_sessions`,
    end(),
  );
  expect([repeated, bulk]).toEqual([[{ count }], [{ count }]]);
  // It is left as it was, and not counted again.
  expect(rows).toEqual([{ is_as_before: true, reason }]);
  expect(await totals(database)).toEqual([]);
  // An end that is not repeated has ended nothing.
  expect(other).toEqual([{ count: 0 }]);
});

test("a bulk end ends those of its principal, counts those of an earlier attempt, and adds its own to the total", async () => {
  const database = await createDatabase();
  await addIdle(database, "a", "b", "c", "d");
  await database.query("UPDATE mcp_sessions SET principal = 'bob' WHERE session_id = 'd'");
  await countOf(database, end());
  expect(await countOf(database, end({ ...OF_ALICE, isRepeated: true }))).toBe(3);
  expect(await endedKeys(database)).toEqual(["a", "b", "c"]);
  expect(await totals(database)).toEqual([{ name: "sessions_ended/client", total: 3 }]);
});

test("a bulk end of one session ends it", async () => {
  const database = await createDatabase();
  await addIdle(database, "a");
  expect(await countOf(database, end(OF_ALICE))).toBe(1);
});

test("rows of another program in a table of its own are not meant", async () => {
  const database = await createDatabase();
  await addIdle(database, "a");
  await database.query("CREATE TABLE of_others () INHERITS (mcp_sessions)");
  await database.query(
    `INSERT INTO of_others (session_id, principal, expires_at, ended_at, end_reason)
     VALUES ('a', 'alice', now() + interval '1 hour', NULL, NULL), ('c', 'alice', now(), now(), 'client')`,
  );
  const theirs = "SELECT session_id, expires_at, ended_at, end_reason FROM of_others ORDER BY 1";
  const before = await database.query(theirs);
  expect(await countOf(database, end({ meant: sql`session_id = 'c'`, isRepeated: true }))).toBe(0);
  expect(await countOf(database, end())).toBe(1);
  expect(await countOf(database, end({ ...OF_ALICE, isRepeated: true }))).toBe(1);
  expect(await database.query(theirs)).toEqual(before);
});

test("a bulk end ends ten thousand at once, the first by their handles, wherever others have theirs", async () => {
  expect(END_LIMIT).toBe(10_000);
  const database = await createDatabase();
  await fill(database, "alice", END_LIMIT + 2);
  await database.query("CREATE TABLE of_others () INHERITS (mcp_sessions)");
  await database.query(
    "INSERT INTO of_others (session_id, principal, expires_at) SELECT md5('x' || i), 'alice', now() + interval '1 hour' FROM generate_series(1, 1000) i",
  );
  expect(await countOf(database, end(OF_ALICE))).toBe(END_LIMIT);
  const [rows] = await atOnce(
    database,
    sql`SELECT count(*)::int AS left, min(place)::int AS first
          FROM (SELECT ended_at, row_number() OVER (ORDER BY ${sessionHandle}) AS place FROM ONLY mcp_sessions) AS s
         WHERE ended_at IS NULL`,
  );
  expect(rows).toEqual([{ left: 2, first: END_LIMIT + 1 }]);
});

test("a session that another statement is ending is not ended again", async () => {
  const database = await createDatabase();
  await addIdle(database, "a");
  const theirs = await heldOpen(
    database,
    "UPDATE mcp_sessions SET ended_at = now(), expires_at = now(), end_reason = 'operator' RETURNING 1",
  );
  const ours = countOf(database, end());
  await theirs.waitedFor();
  await theirs.release();
  expect(await ours).toBe(0);
  expect(await stateOf(database)).toMatchObject([{ reason: "operator" }]);
});

test("a handle is the beginning of a SHA-256 that nobody can compute the id from", async () => {
  const database = await createDatabase();
  for (const id of ["a", "a\\b\\\\101", "é🙂"]) {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`handle:${id}`));
    const hex = [...new Uint8Array(digest).slice(0, 16)].map((byte) => byte.toString(16).padStart(2, "0"));
    const [rows] = await atOnce(
      database,
      sql`SELECT replace((${sessionHandle})::text, '-', '') AS handle FROM (SELECT ${id}::text AS session_id) AS s`,
    );
    expect(rows).toEqual([{ handle: hex.join("") }]);
  }
});
