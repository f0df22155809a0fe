// A table that inherits from mcp_sessions belongs to another program: its rows are no sessions, and stay as they are.
import { expect, test } from "vitest";
import { unknownSession } from "../../src/session/degraded.ts";
import { heldOpen } from "../support/locks.ts";
import { callTool, end, mcp, open, sessionsOf } from "../support/mcp.ts";
import { addIdle, fill, storesOf } from "../support/stores.ts";
import { bearer, createDatabase, keys, send, type TestDatabase } from "../support/worker.ts";

const LIMIT = { MCP_MAX_SESSIONS_PER_PRINCIPAL: "2", MCP_SESSION_TOUCH_INTERVAL_SECONDS: "0" };
const asAdmin = bearer(keys.admin);
const ping = { method: "ping" };

async function withChild() {
  const database = await createDatabase();
  await database.query("CREATE TABLE mcp_sessions_archive () INHERITS (mcp_sessions)");
  return { database, env: database.env(LIMIT) };
}

const archived = ({ query }: TestDatabase) =>
  // A lock on a row leaves its traces in xmax.
  query(
    "SELECT to_jsonb(a) AS session, xmax::text, ctid::text FROM mcp_sessions_archive a ORDER BY session_id",
  );
const handles = async (env: Env): Promise<string[]> => {
  const { sessions } = (await (await send(env, "/sessions", asAdmin)).json()) as {
    sessions: { handle: string }[];
  };
  return sessions.map(({ handle }) => handle);
};
const ended = async ({ query }: TestDatabase) =>
  (
    await query(
      "SELECT name, sum(value)::int AS sum FROM mcp_session_totals WHERE name LIKE 'sessions_ended/%' GROUP BY name ORDER BY name",
    )
  ).map(({ name, sum }) => `${String(name)} ${String(sum)}`);

test("a session that was moved to a child table is gone, for its client and for operators", async () => {
  const { database, env } = await withChild();
  const session = await open(env);
  const [handle = ""] = await handles(env);
  await database.query(
    `WITH moved AS (DELETE FROM ONLY mcp_sessions RETURNING *) INSERT INTO mcp_sessions_archive SELECT * FROM moved`,
  );
  const before = await archived(database);
  expect((await mcp(env, ping, { session })).status).toBe(404);
  expect((await end(env, session)).status).toBe(404);
  expect(await handles(env)).toEqual([]);
  expect((await send(env, `/sessions/${handle}`, { ...asAdmin, method: "DELETE" })).status).toBe(404);
  const all = await send(env, "/sessions?principal=alice", { ...asAdmin, method: "DELETE" });
  expect(await all.json()).toEqual({ ended: 0, has_more: false });
  expect(await archived(database)).toEqual(before);
});

test("copies in a child table are neither counted, listed, used, written, evicted nor ended", async () => {
  const { database, env } = await withChild();
  const [first, second] = [await open(env), await open(env)];
  await database.query("INSERT INTO mcp_sessions_archive SELECT * FROM ONLY mcp_sessions");
  const before = await archived(database);

  // With the copies there would be more than the limit.
  expect((await mcp(env, ping, { session: first })).status).toBe(200);
  const list = await callTool(env, second, "list_my_sessions");
  expect(list.structuredContent?.["sessions"]).toHaveLength(2);
  const call = async (name: string) =>
    (await callTool(env, first, name, { key: "k", value: 1 })).structuredContent;
  expect(await call("session_state_set")).toMatchObject({ version: 1 });
  expect(await call("session_state_get")).toMatchObject({ value: 1 });
  expect(await call("session_state_delete")).toEqual({ deleted: true });
  await mcp(env, { method: "logging/setLevel", params: { level: "error" } }, { session: first });
  expect(await handles(env)).toHaveLength(2);

  // `second` is the least recently used one.
  await mcp(env, ping, { session: first });
  const third = await open(env);
  expect((await mcp(env, ping, { session: second })).status).toBe(404);
  expect((await callTool(env, third, "end_my_other_sessions")).structuredContent).toEqual({ ended: 1 });
  expect((await end(env, third)).status).toBe(204);
  const fourth = await open(env);
  const all = await send(env, "/sessions?principal=alice", { ...asAdmin, method: "DELETE" });
  expect(await all.json()).toEqual({ ended: 1, has_more: false });
  expect((await mcp(env, ping, { session: fourth })).status).toBe(404);
  expect(await ended(database)).toEqual([
    "sessions_ended/client 2",
    "sessions_ended/evicted 1",
    "sessions_ended/operator 1",
  ]);
  expect(await archived(database)).toEqual(before);
});

test("nor are they by the stores, however seldom sessions are touched", async () => {
  const { database } = await withChild();
  const { admin, sessions, states } = storesOf(database);
  await addIdle(database, "a");
  await fill(database, "alice", 10_000);
  await database.query(
    "WITH moved AS (DELETE FROM ONLY mcp_sessions RETURNING *) INSERT INTO mcp_sessions_archive SELECT * FROM moved",
  );
  const before = await archived(database);
  const a = unknownSession("a", "alice", "x", new Date());
  expect(await sessionsOf(database, { touchIntervalSeconds: 7200 }).resume("a", "alice")).toBeUndefined();
  expect(await sessions.list("alice")).toEqual([]);
  expect(await states.get(a, "k")).toBeUndefined();
  expect(await states.set(a, "k", 1)).toEqual({ outcome: "session_ended" });
  expect(await states.delete(a, "k")).toEqual({ outcome: "session_ended" });
  expect(await admin.endAll("alice")).toEqual({ ended: 0, hasMore: false });
  expect(await archived(database)).toEqual(before);
});

test("a session that is moved to a child table while it is used is gone", async () => {
  const { database } = await withChild();
  const { sessions } = storesOf(database);
  await addIdle(database, "a");
  await database.query(
    `CREATE FUNCTION move() RETURNS void LANGUAGE sql AS $$
       WITH moved AS (DELETE FROM ONLY mcp_sessions RETURNING *) INSERT INTO mcp_sessions_archive SELECT * FROM moved $$`,
  );
  const move = await heldOpen(database, "SELECT move()");
  const using = sessions.resume("a", "alice");
  await move.waitedFor();
  await move.release();
  expect(await using).toBeUndefined();
});
