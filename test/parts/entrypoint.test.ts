// The door for other Workers, called in the isolate itself. test/deploy/rpc.test.ts calls it from another Worker.
import { createExecutionContext } from "cloudflare:test";
import { WorkerEntrypoint } from "cloudflare:workers";
import { expect, test } from "vitest";
import { type Input, type SessionsEntrypoint, sessionsEntrypoint, type Verb } from "../../src/public/rpc.ts";
import { logged } from "../support/captured-logs.ts";
import { at, HOUR } from "../support/cleanup.ts";
import { addHandles, addTasks, KEPT } from "../support/kept.ts";
import { addSessions, createDatabase } from "../support/worker.ts";

const worker = { fetch: () => Promise.resolve(new Response("served")) };
const Sessions = sessionsEntrypoint(WorkerEntrypoint, worker);

function calledBy(env: Env, props: unknown): SessionsEntrypoint {
  const context = Object.assign(createExecutionContext(), { props });
  return new Sessions(context as never, env as never);
}
const front = { caller: "front", scopes: ["mcp", "health", "admin"] };
const open = { user: "zoe", protocolVersion: "2025-11-25" };

test("every call needs its scope, and props that say who calls", async () => {
  const env = (await createDatabase()).env();
  const inputs: { [V in Verb]: Input<V> } = {
    open,
    resume: { user: "zoe", id: "x" },
    end: { user: "zoe", id: "x" },
    getState: { user: "zoe", id: "x", key: "k" },
    setState: { user: "zoe", id: "x", key: "k", value: 1 },
    deleteState: { user: "zoe", id: "x", key: "k" },
    list: {},
    endAll: { principal: "zoe" },
    census: {},
    cleanUp: { tier: "regular" },
    listHandles: {},
    endHandle: { key: "0".repeat(64) },
    listTasks: {},
    cancelTask: { key: "0".repeat(64) },
  };
  const needed: Record<Verb, string> = {
    open: "mcp",
    resume: "mcp",
    end: "mcp",
    getState: "mcp",
    setState: "mcp",
    deleteState: "mcp",
    list: "admin",
    endAll: "admin",
    census: "health",
    cleanUp: "admin",
    listHandles: "admin",
    endHandle: "admin",
    listTasks: "admin",
    cancelTask: "admin",
  };
  for (const verb of Object.keys(inputs) as Verb[]) {
    for (const scope of ["mcp", "health", "metrics", "admin"]) {
      const target = calledBy(env, { caller: "front", scopes: [scope] });
      const call = target[verb] as (input: unknown) => Promise<{ code?: string }>;
      const { code } = await call.call(target, inputs[verb]);
      expect([verb, scope, code === "forbidden"]).toEqual([verb, scope, scope !== needed[verb]]);
    }
  }
  for (const props of [
    undefined,
    {},
    { caller: "", scopes: [] },
    { caller: "a b", scopes: ["mcp"] },
    { caller: "a" },
  ])
    expect(await calledBy(env, props).open(open)).toMatchObject({ ok: false, code: "forbidden" });
});

test("each caller has users of its own, and an operator tells them apart", async () => {
  const env = (await createDatabase()).env();
  const opened = await calledBy(env, front).open(open);
  if (!opened.ok) throw new Error(opened.message);
  const { id } = opened.value;
  const other = calledBy(env, { ...front, caller: "other" });
  expect(await other.resume({ user: "zoe", id })).toMatchObject({ ok: false, code: "session_not_found" });
  expect(await calledBy(env, front).resume({ user: "ben", id })).toMatchObject({ code: "session_not_found" });
  expect(await calledBy(env, front).resume({ user: "zoe", id })).toMatchObject({ ok: true });
  const listed = await other.list({ issuer: "binding:front", subject: "zoe" });
  expect(listed).toMatchObject({ value: { sessions: [{ issuer: "binding:front", subject: "zoe" }] } });
  expect(await other.list({ issuer: "binding:other", subject: "zoe" })).toMatchObject({
    value: { sessions: [] },
  });
  expect(await other.list({ principal: "zoe", issuer: "binding:front", subject: "zoe" })).toMatchObject({
    code: "invalid_request",
  });
});

test("a session is opened in a revision that has them, resumed, and ended once", async () => {
  const target = calledBy((await createDatabase()).env(), front);
  expect(await target.open({ ...open, protocolVersion: "2020-01-01" })).toMatchObject({
    code: "unsupported_protocol_version",
  });
  const opened = await target.open({ ...open, clientInfo: { name: "me" } });
  if (!opened.ok) throw new Error(opened.message);
  const { id, session } = opened.value;
  expect(await target.resume({ user: "zoe", id })).toMatchObject({
    value: { session, protocolVersion: "2025-11-25", clientInfo: { name: "me" }, capabilities: {} },
  });
  expect(await target.end({ user: "zoe", id: "no id" })).toMatchObject({ code: "session_not_found" });
  expect(await target.end({ user: "ben", id })).toMatchObject({ code: "session_not_found" });
  expect(await target.end({ user: "zoe", id })).toEqual({ ok: true, value: null });
  expect(await target.end({ user: "zoe", id })).toMatchObject({ code: "session_not_found" });
  expect(await target.resume({ user: "zoe", id })).toMatchObject({ code: "session_not_found" });
});

test("where openings are limited, one too many says when to come again", async () => {
  const asked: unknown[] = [];
  const limit = (options: unknown) => {
    asked.push(options);
    return Promise.resolve({ success: false });
  };
  const env = Object.assign((await createDatabase()).env(), { INITIALIZE_RATE_LIMIT: { limit } });
  expect(await calledBy(env, front).open(open)).toMatchObject({
    code: "too_many_sessions",
    retryAfterSeconds: 60,
  });
  expect(asked).toEqual([{ key: '["binding:front","zoe"]' }]);
});

test("state is kept as JSON, and only over the version that was meant", async () => {
  const target = calledBy((await createDatabase()).env(), front);
  const opened = await target.open(open);
  if (!opened.ok) throw new Error(opened.message);
  const meant = { user: "zoe", id: opened.value.id, key: "k" };
  expect(await target.getState(meant)).toEqual({ ok: true, value: null });
  expect(await target.setState({ ...meant, value: [1], ifVersion: 0 })).toMatchObject({
    value: { version: 1 },
  });
  expect(await target.setState({ ...meant, value: 2, ifVersion: 7 })).toMatchObject({
    code: "version_mismatch",
  });
  expect(await target.deleteState({ ...meant, ifVersion: 7 })).toMatchObject({ code: "version_mismatch" });
  const circle: Record<string, unknown> = {};
  circle["itself"] = circle;
  expect(await target.setState({ ...meant, value: circle })).toMatchObject({ code: "invalid_request" });
  expect(await target.getState(meant)).toMatchObject({ value: { value: [1], version: 1 } });
  expect(await target.deleteState({ ...meant, ifVersion: 1 })).toEqual({
    ok: true,
    value: { existed: true },
  });
  expect(await target.deleteState(meant)).toEqual({ ok: true, value: { existed: false } });
});

test("an operator counts, cleans up and ends what a principal has", async () => {
  const database = await createDatabase();
  await addSessions(database, { expired: at(new Date(), -2 * HOUR), active: null });
  const target = calledBy(database.env(), front);
  expect(await target.census({})).toEqual({ ok: true, value: { total: 2, active: 1, expired: 1 } });
  expect(await target.cleanUp({ tier: "regular" })).toMatchObject({
    value: { tier: "regular", outcome: "completed", deleted: 1 },
  });
  expect(await target.census({})).toEqual({ ok: true, value: { total: 1, active: 1, expired: 0 } });
  await target.open(open);
  for (const half of [{ issuer: "binding:front" }, { subject: "zoe" }])
    expect(await target.list(half)).toMatchObject({ code: "invalid_request" });
  expect(await target.endAll({ issuer: "binding:front", subject: "zoe" })).toEqual({
    ok: true,
    value: { ended: 1, hasMore: false },
  });
  expect(await target.list({ state: "active" })).toMatchObject({ value: { sessions: [{ session: null }] } });
});

test("an operator lists and ends handles and tasks, where they are switched on", async () => {
  const database = await createDatabase();
  const [[handle = ""], [task = ""]] = [await addHandles(database, "alice"), await addTasks(database, "bob")];
  const operator = calledBy(database.env(KEPT), front);
  expect(await operator.listHandles({ principal: "alice", kind: "cart" })).toMatchObject({
    value: { handles: [{ key: handle, principal: "alice" }], next: null },
  });
  expect(await operator.listHandles({ issuer: "binding:front", subject: "zoe" })).toMatchObject({
    value: { handles: [] },
  });
  expect(await operator.listTasks({ status: "working" })).toMatchObject({
    value: { tasks: [{ key: task, principal: "bob" }], next: null },
  });
  expect(await operator.listTasks({ subject: "zoe" })).toMatchObject({ code: "invalid_request" });
  expect(await operator.endHandle({ key: handle })).toEqual({ ok: true, value: null });
  expect(await operator.endHandle({ key: handle })).toMatchObject({ code: "handle_not_found" });
  expect(await operator.cancelTask({ key: task })).toEqual({ ok: true, value: null });
  expect(await operator.cancelTask({ key: task })).toMatchObject({ code: "task_not_found" });
  expect(logged("MCP handle ended")).toMatchObject([{ by: "front", principal: "alice" }]);
  expect(logged("MCP task cancelled")).toMatchObject([{ by: "front", principal: "bob" }]);
  const without = calledBy(database.env(), front);
  for (const answer of [
    await without.listHandles({}),
    await without.endHandle({ key: handle }),
    await without.listTasks({}),
    await without.cancelTask({ key: task }),
  ])
    expect(answer).toMatchObject({ ok: false, code: "not_found" });
});

test("a request is served for a user of the caller, and refused without either", async () => {
  const env = (await createDatabase()).env();
  const request = new Request("https://sessions.test/mcp");
  const [known, unknown] = [calledBy(env, front), calledBy(env, {})];
  expect(await (await known.fetchFor("zoe", request)).text()).toBe("served");
  expect(await (await unknown.fetch(request)).text()).toBe("served");
  const refusals = [await known.fetchFor("", request), await unknown.fetchFor("zoe", request)];
  expect(refusals.map(({ status }) => status)).toEqual([400, 403]);
  expect(await Promise.all(refusals.map((refusal) => refusal.json()))).toMatchObject([
    { error: { code: "invalid_request", message: "The user must be a text of 1 to 255 characters" } },
    { error: { code: "forbidden", message: expect.stringContaining("must have props") } },
  ]);
});

test("a wrong input is refused by the name of its member, and a call is logged as it ended", async () => {
  const target = calledBy((await createDatabase()).env(), front);
  const wrong = await target.list({ limit: 0 });
  expect(wrong).toMatchObject({ code: "invalid_request", message: "The input of list is wrong: limit" });
  expect(await target.census({ other: 1 } as never)).toMatchObject({
    message: "The input of census is wrong: its members",
  });
  await target.census({});
  expect(logged("call")).toMatchObject([
    { verb: "list", by: "front", outcome: "invalid_request" },
    { verb: "census", by: "front", outcome: "invalid_request" },
    { verb: "census", by: "front", outcome: "succeeded" },
  ]);
  // A sum instead of a difference would be decades.
  for (const { duration_ms: took } of logged("call")) expect(took).toBeLessThan(3_600_000);
});

test("a wrong configuration is an answer, too", async () => {
  const env = { ...(await createDatabase()).env(), DATABASE_URL: "mysql://nowhere" };
  expect(await calledBy(env, front).census({})).toMatchObject({ ok: false, code: "configuration_invalid" });
});
