// What an isolate does without asking the database, when MCP_SESSION_VALIDATION_INTERVAL_SECONDS lets it.
import { expect, test } from "vitest";
import type { Session } from "../../src/session/session.ts";
import type { SessionStore } from "../../src/session/store.ts";
import { createCachedStore } from "../../src/session/cached-store.ts";
import { callTool, end, mcp, open } from "../support/mcp.ts";
import { createDatabase, databaseRequests, keys } from "../support/worker.ts";

const list = { method: "tools/list" };
const TRUSTING = { MCP_SESSION_VALIDATION_INTERVAL_SECONDS: "60" };

test("within the interval a request makes no round trip", async () => {
  const database = await createDatabase();
  const env = database.env(TRUSTING);
  const session = await open(env);
  await mcp(env, list, { session });
  const before = await databaseRequests();
  for (let i = 0; i < 5; i++) expect((await mcp(env, list, { session })).status).toBe(200);
  expect(await databaseRequests()).toBe(before);
  // A request of another principal is never served from the cache.
  expect((await mcp(env, list, { session, key: keys.bob })).status).toBe(404);
});

test("a session that is ended here is gone here at once", async () => {
  const database = await createDatabase();
  const env = database.env(TRUSTING);
  const [mine, other] = [await open(env), await open(env)];
  for (const session of [mine, other]) await mcp(env, list, { session });
  await end(env, other);
  expect((await mcp(env, list, { session: other })).status).toBe(404);
  const third = await open(env);
  await mcp(env, list, { session: third });
  expect(await callTool(env, mine, "end_my_other_sessions")).toMatchObject({
    structuredContent: { ended: 1 },
  });
  expect((await mcp(env, list, { session: third })).status).toBe(404);
  expect((await mcp(env, list, { session: mine })).status).toBe(200);
});

test("a session that is ended elsewhere is gone here after the interval", async () => {
  const database = await createDatabase();
  const [here, elsewhere] = [database.env(TRUSTING), database.env()];
  const session = await open(here);
  await mcp(here, list, { session });
  await end(elsewhere, session);
  expect((await mcp(here, list, { session })).status).toBe(200);
  expect((await mcp(database.env(TRUSTING), list, { session })).status).toBe(404);
});

// Below, the store beneath is a counter: time and interleaving are the subject.
function counted(answer: () => Promise<Session | undefined>, intervalSeconds = 60) {
  let now = Date.parse("2026-11-23T12:00:00Z");
  let asked = 0;
  const beneath: SessionStore = {
    open: async () => 0,
    resume: () => {
      asked += 1;
      return answer();
    },
    end: async () => true,
    list: async () => [],
    endOthers: async () => 1,
    setLogLevel: async () => {},
  };
  const store = createCachedStore(beneath, { intervalSeconds, now: () => new Date(now) });
  return { store, pass: (ms: number) => (now += ms), asked: () => asked };
}

const session = (expiresAt = "2026-11-24T12:00:00Z"): Session => ({
  key: "k",
  principal: "alice",
  protocolVersion: "2025-11-25",
  clientInfo: {},
  capabilities: {},
  logLevel: null,
  createdAt: new Date(0),
  lastActive: new Date(0),
  expiresAt: new Date(expiresAt),
  isDegraded: false,
});

test("a session is served from the cache for the interval, and not a millisecond longer", async () => {
  const { store, pass, asked } = counted(async () => session());
  await store.resume("k", "alice");
  pass(59_999);
  await store.resume("k", "alice");
  expect(asked()).toBe(1);
  pass(1);
  await store.resume("k", "alice");
  expect(asked()).toBe(2);
});

test("a session is served from the cache until it expires at most", async () => {
  const { store, pass, asked } = counted(async () => session("2026-11-23T12:00:10Z"));
  await store.resume("k", "alice");
  pass(9_999);
  await store.resume("k", "alice");
  expect(asked()).toBe(1);
  pass(1);
  await store.resume("k", "alice");
  expect(asked()).toBe(2);
});

test("a validation in flight while the session is ended does not put it back into the cache", async () => {
  let answer: (found: Session) => void = () => {};
  const { store, asked } = counted(() => new Promise((resolve) => (answer = resolve)));
  const inFlight = store.resume("k", "alice");
  await store.end("k", "alice");
  answer(session());
  expect(await inFlight).toBeDefined();
  void store.resume("k", "alice");
  expect(asked()).toBe(2);
});

test("with an interval of zero every request asks, and the session can be recalled", async () => {
  const { store, asked } = counted(async () => session(), 0);
  await store.resume("k", "alice");
  await store.resume("k", "alice");
  expect(asked()).toBe(2);
  expect(store.recall("k", "alice")).toEqual(session());
});

test("a session is recalled for its principal, until it is ended here or expires", async () => {
  const { store, pass } = counted(async () => session("2026-11-23T12:00:10Z"));
  expect(store.recall("k", "alice")).toBeUndefined();
  await store.resume("k", "alice");
  expect(store.recall("k", "alice")).toEqual(session("2026-11-23T12:00:10Z"));
  expect(store.recall("k", "bob")).toBeUndefined();
  pass(10_000);
  expect(store.recall("k", "alice")).toBeUndefined();
  await store.end("k", "alice");
  expect(store.recall("k", "alice")).toBe("ended");
});
