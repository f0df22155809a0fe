// When a session expires, and what keeps it alive. Time is the database's, so the rows are moved in time.
import { expect, test } from "vitest";
import { countWrites, end, mcp, open, rowsOf } from "../support/mcp.ts";
import { createDatabase, fire, REGULAR_CRON, type TestDatabase } from "../support/worker.ts";

const list = { method: "tools/list" };

/** Moves the only session into the past, all its times alike. */
const age = ({ query }: TestDatabase, by: string) =>
  query(`UPDATE mcp_sessions SET created_at = created_at - interval '${by}', last_active = last_active - interval '${by}',
                                 expires_at = expires_at - interval '${by}'`);

/** How long the only session still lives, in seconds. */
async function remainingSeconds({ query }: TestDatabase): Promise<number> {
  const [row] = await query(
    "SELECT extract(epoch FROM expires_at - now())::float8 AS seconds FROM mcp_sessions",
  );
  return Number(row?.["seconds"]);
}

test("a session lives for its first lifetime until it is used, and for its full one from then on", async () => {
  const database = await createDatabase();
  const env = database.env({ MCP_SESSION_INIT_TTL_SECONDS: "200", MCP_SESSION_TTL_SECONDS: "5000" });
  const session = await open(env);
  expect(await remainingSeconds(database)).toBeGreaterThan(195);
  expect(await remainingSeconds(database)).toBeLessThanOrEqual(200);
  // Any message counts, and at once: the touch interval does not hold it up.
  await mcp(env, { id: undefined, method: "notifications/initialized" }, { session });
  expect(await remainingSeconds(database)).toBeGreaterThan(4995);
  // Ends are a 48th of the lifetime apart.
  expect(await remainingSeconds(database)).toBeLessThanOrEqual(5000 + 5000 / 48);
});

test("the defaults are five minutes and a day", async () => {
  const database = await createDatabase();
  const session = await open(database.env());
  expect(Math.round((await remainingSeconds(database)) / 10)).toBe(30);
  await mcp(database.env(), list, { session });
  expect(await remainingSeconds(database)).toBeGreaterThan(86_395);
  expect(await remainingSeconds(database)).toBeLessThanOrEqual(86_400 + 1800);
});

test("a client that never comes back loses its session, and the next regular cleanup removes it", async () => {
  const database = await createDatabase();
  const session = await open(database.env());
  await age(database, "5 minutes 1 second");
  expect((await mcp(database.env(), list, { session })).status).toBe(404);
  await fire(database.env(), REGULAR_CRON);
  expect(await rowsOf(database)).toEqual([]);
});

test("expiry is judged on read: a session that is still in the table is gone the moment it expires", async () => {
  const database = await createDatabase();
  const session = await open(database.env());
  await database.query("UPDATE mcp_sessions SET expires_at = now()");
  const rows = await rowsOf(database);
  expect((await mcp(database.env(), list, { session })).status).toBe(404);
  expect((await end(database.env(), session)).status).toBe(404);
  expect(await rowsOf(database)).toEqual(rows);
});

test("a session is touched at most once in the touch interval, however many requests come at once", async () => {
  const database = await createDatabase();
  const env = database.env({ MCP_SESSION_TOUCH_INTERVAL_SECONDS: "60" });
  const session = await open(env);
  const writes = await countWrites(database);
  const burst = async () => {
    const responses = await Promise.all(Array.from({ length: 100 }, () => mcp(env, list, { session })));
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
  };
  await burst();
  expect(await writes()).toBe(1);
  await burst();
  expect(await writes()).toBe(1);
  await database.query("ALTER TABLE mcp_sessions DISABLE TRIGGER record");
  await age(database, "61 seconds");
  await database.query("ALTER TABLE mcp_sessions ENABLE TRIGGER record");
  await burst();
  expect(await writes()).toBe(2);
});

test("touches between two steps change no indexed column, and rows stay where they are", async () => {
  const database = await createDatabase();
  const env = database.env({ MCP_SESSION_TOUCH_INTERVAL_SECONDS: "0" });
  const session = await open(env);
  const ends = new Set<unknown>();
  for (let i = 0; i < 20; i++) {
    await mcp(env, list, { session });
    ends.add((await rowsOf(database))[0]?.["expires_at"]?.toString());
  }
  // One more where a step falls into the test.
  expect(ends.size).toBeLessThanOrEqual(2);
});

test("each touch starts the lifetime anew", async () => {
  const database = await createDatabase();
  const env = database.env({ MCP_SESSION_TTL_SECONDS: "1000" });
  const session = await open(env);
  await mcp(env, list, { session });
  for (let i = 0; i < 5; i++) {
    await age(database, "900 seconds");
    expect((await mcp(env, list, { session })).status).toBe(200);
    expect(await remainingSeconds(database)).toBeGreaterThan(990);
  }
});

test("no touch takes a session beyond its maximum lifetime", async () => {
  const database = await createDatabase();
  const env = database.env({ MCP_SESSION_TTL_SECONDS: "1000", MCP_SESSION_MAX_LIFETIME_SECONDS: "2000" });
  const session = await open(env);
  for (const [aged, remaining] of [
    ["0 seconds", 1000],
    ["900 seconds", 1000],
    ["900 seconds", 200],
  ] as const) {
    await age(database, aged);
    expect((await mcp(env, list, { session })).status).toBe(200);
    expect(await remainingSeconds(database)).toBeGreaterThan(remaining - 5);
    // The step of a touch is 1000 / 48 seconds; the maximum is exact.
    expect(await remainingSeconds(database)).toBeLessThanOrEqual(remaining === 200 ? 200 : remaining + 21);
  }
  await age(database, "201 seconds");
  expect((await mcp(env, list, { session })).status).toBe(404);
});

test("a maximum lifetime holds for the first lifetime too, and for sessions opened before it was set", async () => {
  const database = await createDatabase();
  const session = await open(database.env({ MCP_SESSION_MAX_LIFETIME_SECONDS: "100" }));
  expect(await remainingSeconds(database)).toBeLessThanOrEqual(100);
  expect((await mcp(database.env(), list, { session })).status).toBe(200);
  await age(database, "51 seconds");
  const env = database.env({ MCP_SESSION_MAX_LIFETIME_SECONDS: "50" });
  expect((await mcp(env, list, { session })).status).toBe(404);
  expect((await mcp(database.env(), list, { session })).status).toBe(200);
});

test("another server's row with the same key is nobody's session here", async () => {
  const database = await createDatabase();
  const session = await open(database.env());
  await database.query("UPDATE mcp_sessions SET principal = NULL, expires_at = NULL");
  expect((await mcp(database.env(), list, { session })).status).toBe(404);
});
