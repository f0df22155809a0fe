// What an isolate does without asking the database, when MCP_SESSION_VALIDATION_INTERVAL_SECONDS lets it.
import { expect, test } from "vitest";
import type { Session } from "../../src/session/session.ts";
import type { SessionStore } from "../../src/session/store.ts";
import { createCachedStore, MAX_CACHED_BYTES } from "../../src/session/cached-store.ts";
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
function counted(
  answer: (key: string, principal: string) => Promise<Session | undefined>,
  intervalSeconds = 60,
  canRecall = true,
) {
  let now = Date.parse("2026-11-23T12:00:00Z");
  let asked = 0;
  const beneath: SessionStore = {
    open: async () => 0,
    resume: (key, principal) => {
      asked += 1;
      return answer(key, principal);
    },
    end: async () => true,
    list: async () => [],
    endOthers: async () => 1,
    setLogLevel: async () => {},
  };
  const store = createCachedStore(beneath, {
    intervalSeconds,
    canRecall,
    now: () => new Date(now),
  });
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

test("without an interval and without degraded mode nothing is remembered", async () => {
  const database = await createDatabase();
  const id = await open(database.env());
  const env = database.env();
  await mcp(env, list, { session: id });
  const before = await databaseRequests();
  await mcp(env, list, { session: id });
  expect(await databaseRequests()).toBe(before + 1);
  const { store, asked } = counted(async () => session(), 0, false);
  await store.resume("k", "alice");
  await store.end("k", "alice");
  expect(store.recall("k", "alice")).toBeUndefined();
  expect(await store.resume("k", "alice")).toEqual(session());
  expect(asked()).toBe(2);
});

test("each request gets an object of its own: what a tool changes in it reaches no other", async () => {
  const client = (name: string) => ({ name, __proto__: { a: 1 }, icons: [{ src: "x" }] });
  const { store } = counted(async () => ({ ...session(), clientInfo: client("one") }));
  await store.resume("k", "alice");
  const first = await store.resume("k", "alice");
  expect(first?.clientInfo).toEqual(client("one"));
  Object.assign(first?.clientInfo ?? {}, { name: "changed" });
  expect((await store.resume("k", "alice"))?.clientInfo).toEqual({ name: "one", icons: [{ src: "x" }] });
});

test("ending the sessions of one principal looks at no session of another", async () => {
  const { store, asked } = counted(async (key, principal) => ({ ...session(), key, principal }));
  for (let i = 0; i < 100; i++) await store.resume(`other ${i}`, "bob");
  for (const key of ["a", "b", "c"]) await store.resume(key, "alice");
  await store.endOthers("alice", "b");
  expect(["a", "b", "c"].map((key) => store.recall(key, "alice"))).toMatchObject([
    "ended",
    { key: "b" },
    "ended",
  ]);
  store.forgetAll("alice");
  expect(store.recall("b", "alice")).toBeUndefined();
  const before = asked();
  for (let i = 0; i < 100; i++) await store.resume(`other ${i}`, "bob");
  expect(asked()).toBe(before);
});

test("a cache takes eight mebibytes", () => {
  expect(MAX_CACHED_BYTES).toBe(8_388_608);
});

test("who has no interval and recalls nothing has no cache", async () => {
  const { store, asked } = counted(async () => session(), 0, false);
  await store.resume("k", "alice");
  expect(store.recall("k", "alice")).toBeUndefined();
  store.forgetAll("alice");
  await store.resume("k", "alice");
  expect(asked()).toBe(2);
});

test("who recalls nothing remembers no end; who does not say recalls", async () => {
  const { store } = counted(async () => session(), 60, false);
  await store.resume("k", "alice");
  await store.end("k", "alice");
  await store.endOthers("alice", undefined);
  expect(store.recall("k", "alice")).toBeUndefined();
  const beneath = counted(async () => session()).store;
  const unsaid = createCachedStore(beneath, { intervalSeconds: 0, now: () => new Date(0) });
  await unsaid.resume("k", "alice");
  expect(unsaid.recall("k", "alice")).toEqual(session());
  await unsaid.end("k", "alice");
  expect(unsaid.recall("k", "alice")).toBe("ended");
});

test("a session that is larger than the cache is served, and not kept", async () => {
  const { store } = counted(async () => ({
    ...session(),
    clientInfo: { name: "x".repeat(MAX_CACHED_BYTES / 2) },
  }));
  expect(await store.resume("k", "alice")).toBeDefined();
  expect(store.recall("k", "alice")).toBeUndefined();
  // Nothing of it is left that an end of the principal's sessions could mark.
  await store.endOthers("alice", undefined);
  expect(store.recall("k", "alice")).toBeUndefined();
});

test("a session that was used is kept longer than one that was not", async () => {
  const { store } = counted(async (key) => ({ ...session(), key }));
  await store.resume("first", "alice");
  for (let i = 0; i < 9_999; i++) await store.resume(`key ${i}`, "alice");
  await store.resume("first", "alice");
  await store.resume("one more", "alice");
  expect(store.recall("first", "alice")).toBeDefined();
  expect(store.recall("key 0", "alice")).toBeUndefined();
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
