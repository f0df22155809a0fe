// What an operator may see of sessions, and end.
import { expect, test } from "vitest";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { at, HOUR } from "../support/cleanup.ts";
import { mcp, open, rowsOf } from "../support/mcp.ts";
import { fill, storesOf } from "../support/stores.ts";
import {
  addSessions,
  bearer,
  createDatabase,
  databaseRequests,
  keys,
  send,
  setFaults,
  type TestDatabase,
} from "../support/worker.ts";

const ask = (env: Env, path: string, method = "GET", key: string = keys.admin) =>
  send(env, path, { method, ...bearer(key) });

interface Page {
  sessions: Record<string, unknown>[];
  next: string | null;
}
const page = async (env: Env, query = "") => (await (await ask(env, `/sessions${query}`)).json()) as Page;

const ping = { method: "ping" };
const count = async ({ query }: TestDatabase, where: string) =>
  Number((await query(`SELECT count(*) FROM mcp_sessions WHERE ${where}`))[0]?.["count"]);

test("a session is listed with everything but its id and its hash", async () => {
  const database = await createDatabase();
  const env = database.env();
  await open(env);
  const [row] = await rowsOf(database);
  const hash = keepSecret(String(row?.["session_id"]));
  const { sessions, next } = await page(env);
  expect(next).toBeNull();
  expect(sessions).toEqual([
    {
      handle: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      session: hash.slice(0, 8),
      principal: "alice",
      state: "active",
      protocol_version: "2025-11-25",
      client_name: "test client",
      client_version: "1.2.3",
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      last_active: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      ended_at: null,
      end_reason: null,
    },
  ]);
});

test("sessions of another program are listed without anything of their ids", async () => {
  const database = await createDatabase();
  await addSessions(database, { "of-python": null, infinite: "infinity", old: at(new Date(), -HOUR) });
  const { sessions } = await page(database.env());
  expect(sessions.map(({ session, principal }) => [session, principal])).toEqual(
    Array.from({ length: 3 }, () => [null, null]),
  );
  expect(sessions.filter(({ state }) => state === "active")).toHaveLength(2);
});

test("pages have every session once, also while others come and go", async () => {
  const database = await createDatabase();
  const env = database.env();
  await database.query(
    "INSERT INTO mcp_sessions (session_id, principal) SELECT 'many-' || i, 'bulk' FROM generate_series(1, 250) i",
  );
  const seen: unknown[] = [];
  let after = "";
  for (;;) {
    const { sessions, next } = await page(env, `?limit=40${after}`);
    seen.push(...sessions.map(({ handle }) => handle));
    await database.query("INSERT INTO mcp_sessions (session_id) VALUES (gen_random_uuid()::text)");
    if (next === null) break;
    after = `&after=${next}`;
  }
  expect(new Set(seen).size).toBe(seen.length);
  const bulk = await database.query(
    `SELECT substr(encode(sha256(convert_to('handle:' || session_id, 'UTF8')), 'hex'), 1, 32)::uuid AS handle
       FROM mcp_sessions WHERE principal = 'bulk'`,
  );
  for (const { handle } of bulk) expect(seen).toContain(handle);
});

test("filters by principal and state", async () => {
  const database = await createDatabase();
  const env = database.env();
  await open(env);
  await open(env, { key: keys.bob });
  await database.query("UPDATE mcp_sessions SET expires_at = now() WHERE principal = 'bob'");
  const found = async (query: string) => (await page(env, query)).sessions.map(({ principal }) => principal);
  expect(await found("?principal=alice")).toEqual(["alice"]);
  expect(await found("?state=expired")).toEqual(["bob"]);
  expect(await found("?state=active")).toEqual(["alice"]);
  expect(await found("?state=active&principal=bob")).toEqual([]);
});

test("filters by what the client has in its name, in capital letters or not", async () => {
  const database = await createDatabase();
  const env = database.env();
  await open(env);
  await addSessions(database, { nameless: at(new Date(), HOUR) });
  await database.query(
    `INSERT INTO mcp_sessions (session_id, principal, client_info, expires_at)
     VALUES ('x', 'bob', '{"name": "100%_X"}', now()), ('y', 'carol', '{"name": ["test client"]}', NULL)`,
  );
  const found = async (query: string) => (await page(env, query)).sessions.map(({ principal }) => principal);
  expect(await found("?client=test%20client")).toEqual(["alice"]);
  expect(await found("?client=T%20CLI")).toEqual(["alice"]);
  // It is no pattern.
  expect(await found("?client=%25_x")).toEqual(["bob"]);
  expect(await found("?client=%25client")).toEqual([]);
  expect(await found("?client=100&state=active")).toEqual([]);
  expect((await ask(env, "/sessions?client=")).status).toBe(400);
  expect((await ask(env, `/sessions?client=${"x".repeat(129)}`)).status).toBe(400);
});

test("ending by handle ends that session alone, in one round trip, and leaves the cache of this isolate", async () => {
  const database = await createDatabase();
  const env = database.env({ MCP_SESSION_VALIDATION_INTERVAL_SECONDS: "60" });
  const [mine, other] = [await open(env), await open(env, { key: keys.bob })];
  await mcp(env, ping, { session: mine });
  const handle = String((await page(env, "?principal=alice")).sessions[0]?.["handle"]);
  const before = await databaseRequests();
  expect((await ask(env, `/sessions/${handle}`, "DELETE")).status).toBe(204);
  expect((await databaseRequests()) - before).toBe(1);
  expect((await mcp(env, ping, { session: mine })).status).toBe(404);
  expect((await mcp(env, ping, { session: other, key: keys.bob })).status).toBe(200);
  expect((await ask(env, `/sessions/${handle}`, "DELETE")).status).toBe(404);
  expect((await page(env, "?principal=alice")).sessions[0]).toMatchObject({ end_reason: "operator" });
  expect(logged("MCP sessions ended")).toEqual([
    expect.objectContaining({ by: "ops", ended: 1, reason: "operator" }),
  ]);
});

test("a session that never expires and belongs to another program can be ended", async () => {
  const database = await createDatabase();
  await addSessions(database, { "of-python": null });
  const env = database.env();
  const handle = String((await page(env)).sessions[0]?.["handle"]);
  expect((await ask(env, `/sessions/${handle}`, "DELETE")).status).toBe(204);
  expect(await count(database, "expires_at <= now()")).toBe(1);
});

test.each([
  ["by handle", 204, ""],
  ["by principal", 200, '{"ended":1,"has_more":false}'],
])("an answer that was lost is given again %s, and counted once", async (way, status, body) => {
  const database = await createDatabase();
  const env = database.env();
  await open(env);
  const handle = String((await page(env)).sessions[0]?.["handle"]);
  await setFaults({ fault: { kind: "lost-after-commit" }, times: 1, matching: "ended_count" });
  const path = way === "by handle" ? `/sessions/${handle}` : "/sessions?principal=alice";
  const response = await ask(env, path, "DELETE");
  await setFaults();
  expect(response.status).toBe(status);
  expect(await response.text()).toBe(body);
  const totals = await database.query(
    "SELECT sum(value)::int AS sum FROM mcp_session_totals WHERE name = 'sessions_ended/operator'",
  );
  expect(totals).toEqual([{ sum: 1 }]);
});

test("the last page says that it is, also when it is full", async () => {
  const env = (await createDatabase()).env();
  await open(env);
  await open(env, { key: keys.bob });
  const first = await page(env, "?limit=1");
  expect(first).toMatchObject({ sessions: [{ handle: first.next }] });
  expect(await page(env, `?limit=1&after=${first.next}`)).toMatchObject({ sessions: [{}], next: null });
  expect(await page(env, "?limit=2")).toMatchObject({ sessions: [{}, {}], next: null });
});

test("ending those of a principal ends no other's, and leaves the cache of this isolate", async () => {
  const database = await createDatabase();
  const env = database.env({ MCP_SESSION_VALIDATION_INTERVAL_SECONDS: "60" });
  const session = await open(env, { key: keys.bob });
  await open(env);
  const mine = await open(env);
  expect((await mcp(env, ping, { session: mine })).status).toBe(200);
  expect(await (await ask(env, "/sessions?principal=alice", "DELETE")).json()).toEqual({
    ended: 2,
    has_more: false,
  });
  expect(await count(database, "principal = 'alice' AND expires_at > now()")).toBe(0);
  expect((await mcp(env, ping, { session: mine })).status).toBe(404);
  expect((await mcp(env, ping, { session, key: keys.bob })).status).toBe(200);
});

test("ten thousand sessions of a principal are ended at once, and it says when there are more", async () => {
  const database = await createDatabase();
  await fill(database, "bulk", 10_001);
  const { admin } = storesOf(database);
  expect(await admin.endAll("bulk")).toEqual({ ended: 10_000, hasMore: true });
  expect(await admin.endAll("bulk")).toEqual({ ended: 1, hasMore: false });
});

test.each([
  ["DELETE", "/sessions"],
  ["DELETE", "/sessions?principle=alice"],
  ["DELETE", "/sessions?principal="],
  ["DELETE", "/sessions?principal=alice&principal=bob"],
  ["DELETE", "/sessions?principal=alice&state=expired"],
  ["DELETE", "/sessions/not-a-handle"],
  ["GET", "/sessions?limit=0"],
  ["GET", "/sessions?limit=1001"],
  ["GET", "/sessions?limit=1.5"],
  ["GET", "/sessions?state=ended"],
  ["GET", "/sessions?after=1"],
  ["GET", "/sessions?principal=%00"],
  ["POST", "/cleanup/everything"],
  ["GET", "/cleanup/runs?tier=none"],
  ["GET", "/cleanup/runs?before=-1"],
])("%s %s is refused, and the database is not asked", async (method, path) => {
  const database = await createDatabase();
  const env = database.env();
  const before = await databaseRequests();
  const response = await ask(env, path, method);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { code: "invalid_request" } });
  expect(await databaseRequests()).toBe(before);
});

const adminRoutes = [
  ["GET", "/sessions"],
  ["DELETE", "/sessions?principal=alice"],
  ["DELETE", `/sessions/${crypto.randomUUID()}`],
  ["POST", "/cleanup/regular"],
  ["GET", "/cleanup/runs"],
] as const;

test.each(adminRoutes)("%s %s is for the scope admin alone", async (method, path) => {
  const env = (await createDatabase()).env();
  const before = await databaseRequests();
  for (const key of [keys.health, keys.metrics, keys.alice]) {
    expect((await ask(env, path, method, key)).status).toBe(403);
  }
  expect((await send(env, path, { method })).status).toBe(401);
  expect(await databaseRequests()).toBe(before);
});

test.each(adminRoutes)("%s %s is 503 while the database cannot be asked", async (method, path) => {
  const env = (await createDatabase({ empty: true })).env();
  const response = await ask(env, path, method);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ error: { code: "sessions_unusable" } });
});
