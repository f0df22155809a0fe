// The uploaded Worker, called by another Worker of the account through service bindings, in workerd.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Database, type DeployDatabase, startDatabase } from "./database.ts";
import { deployOnce, keys, runnable } from "./deployed.ts";
import { type RunningWorker, startWorkerd } from "./workerd.ts";

/** It calls what the path names, through the binding that the path names. */
const CALLER = `
export default {
  async fetch(request, env) {
    const [, binding, verb, user, ...path] = new URL(request.url).pathname.split("/");
    const target = env[binding];
    if (verb === "fetch" || verb === "fetchFor") {
      const forwarded = new Request("https://worker.test/" + path.join("/"), request);
      return verb === "fetch" ? target.fetch(forwarded) : target.fetchFor(decodeURIComponent(user), forwarded);
    }
    const { input, isCircular } = await request.json();
    if (isCircular) input.value = { itself: input };
    return Response.json(await target[verb](input));
  },
};`;

const VERBS = [
  "open",
  "resume",
  "end",
  "getState",
  "setState",
  "deleteState",
  "list",
  "endAll",
  "census",
  "cleanUp",
  "listHandles",
  "endHandle",
  "listTasks",
  "cancelTask",
];

let databases: DeployDatabase;
let database: Database;
let worker: RunningWorker;
beforeAll(async () => {
  databases = await startDatabase();
  database = await databases.create();
  await database.migrate();
  const uploaded = runnable(await deployOnce(database.url, { hasTestServer: true }));
  worker = await startWorkerd(uploaded, databases.neon.port, {
    script: CALLER,
    bindings: {
      OPERATOR: { caller: "front", scopes: ["mcp", "health", "admin"] },
      FRONT: { caller: "front", scopes: ["mcp"] },
      OTHER: { caller: "other", scopes: ["mcp"] },
      NOBODY: undefined,
      WRONG: { caller: "front", scopes: ["everything"] },
    },
  });
});
afterAll(async () => {
  await worker?.stop();
  await databases?.stop();
});

async function call(binding: string, verb: string, input: unknown = {}, isCircular = false) {
  const body = JSON.stringify({ input, isCircular });
  const response = await fetch(`${worker.caller}/${binding}/${verb}`, { method: "POST", body });
  return (await response.json()) as {
    ok: boolean;
    value?: Record<string, unknown>;
    code?: string;
    message?: string;
  };
}

const initialize = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "client", version: "1" } },
};
const post = (path: string, message: object, headers: Record<string, string> = {}) =>
  fetch(path, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
      ...headers,
    },
    body: JSON.stringify(message),
  });

async function openFor(user: string, binding = "FRONT"): Promise<string> {
  const opened = await call(binding, "open", { user, protocolVersion: "2025-11-25" });
  expect(opened).toMatchObject({ ok: true, value: { id: expect.any(String), evicted: 0 } });
  return String(opened.value?.["id"]);
}

test("a session is opened, used and ended, with its document", async () => {
  const clientInfo = { name: "front", version: "2" };
  const opened = await call("FRONT", "open", { user: "zoe", protocolVersion: "2025-11-25", clientInfo });
  const { id, session } = opened.value ?? {};
  const mine = { user: "zoe", id };
  expect(await call("FRONT", "resume", mine)).toMatchObject({
    ok: true,
    value: {
      session,
      protocolVersion: "2025-11-25",
      clientInfo,
      logLevel: null,
      expiresAt: expect.any(String),
    },
  });
  const entry = { ...mine, key: "cart" };
  expect(await call("FRONT", "getState", entry)).toEqual({ ok: true, value: null });
  expect(await call("FRONT", "setState", { ...entry, value: ["book"] })).toMatchObject({
    ok: true,
    value: { version: 1 },
  });
  expect(await call("FRONT", "setState", { ...entry, value: [], ifVersion: 7 })).toMatchObject({
    ok: false,
    code: "version_mismatch",
  });
  expect(await call("FRONT", "getState", entry)).toEqual({
    ok: true,
    value: { value: ["book"], version: 1 },
  });
  expect(await call("FRONT", "deleteState", entry)).toEqual({ ok: true, value: { existed: true } });
  expect(await call("FRONT", "end", mine)).toEqual({ ok: true, value: null });
  for (const verb of ["resume", "end", "getState"]) {
    const input = verb === "getState" ? entry : mine;
    expect(await call("FRONT", verb, input)).toMatchObject({ ok: false, code: "session_not_found" });
  }
});

test("operators see, count and end sessions, and clean up", async () => {
  await database.ask("DELETE FROM mcp_sessions");
  await openFor("zoe");
  await openFor("ben");
  await database.ask(
    "INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('old', now() - interval '1 day')",
  );
  expect(await call("OPERATOR", "census")).toEqual({ ok: true, value: { total: 3, active: 2, expired: 1 } });
  const ofZoe = { issuer: "binding:front", subject: "zoe" };
  const listed = await call("OPERATOR", "list", ofZoe);
  expect(listed.value).toMatchObject({ sessions: [{ ...ofZoe, state: "active" }], next: null });
  expect(await call("OPERATOR", "endAll", ofZoe)).toEqual({ ok: true, value: { ended: 1, hasMore: false } });
  expect(await call("OPERATOR", "cleanUp", { tier: "regular" })).toMatchObject({
    ok: true,
    value: { tier: "regular", outcome: "completed", deleted: 1 },
  });
  expect(await call("OPERATOR", "census")).toMatchObject({ value: { total: 2, active: 1, expired: 1 } });
});

describe("nothing is allowed", () => {
  test.each(["NOBODY", "WRONG"])("to a binding with the props of %s", async (binding) => {
    for (const verb of VERBS) {
      expect(await call(binding, verb)).toMatchObject({ ok: false, code: "forbidden" });
    }
    const response = await post(`${worker.caller}/${binding}/fetchFor/zoe/mcp`, initialize);
    expect(response.status).toBe(403);
  });

  test("beyond its scopes", async () => {
    for (const verb of ["list", "endAll", "census", "cleanUp"]) {
      expect(await call("FRONT", verb)).toMatchObject({ ok: false, code: "forbidden" });
    }
  });

  test("with the session of another user, or of the same user of another Worker", async () => {
    const id = await openFor("zoe");
    for (const [binding, user] of [
      ["FRONT", "ben"],
      ["OTHER", "zoe"],
    ] as const) {
      for (const verb of ["resume", "end"]) {
        expect(await call(binding, verb, { user, id })).toMatchObject({
          ok: false,
          code: "session_not_found",
        });
      }
      const state = { user, id, key: "cart" };
      expect(await call(binding, "setState", { ...state, value: 1 })).toMatchObject({
        code: "session_not_found",
      });
    }
    expect(await call("FRONT", "resume", { user: "zoe", id })).toMatchObject({ ok: true });
  });
});

test.each<[string, string, object, string]>([
  ["a missing user", "open", { protocolVersion: "2025-11-25" }, "invalid_request"],
  ["a user with a NUL", "open", { user: "a\0", protocolVersion: "2025-11-25" }, "invalid_request"],
  [
    "an unknown revision",
    "open",
    { user: "zoe", protocolVersion: "1999-01-01" },
    "unsupported_protocol_version",
  ],
  [
    "client data that is too long",
    "open",
    { user: "zoe", protocolVersion: "2025-11-25", clientInfo: { name: "x".repeat(20_000) } },
    "invalid_request",
  ],
  ["an unknown member", "resume", { user: "zoe", id: "x", admin: true }, "invalid_request"],
  ["an id that is none", "resume", { user: "zoe", id: "x" }, "session_not_found"],
  ["a list of nobody in particular", "list", { issuer: "binding:front" }, "invalid_request"],
  ["an end of nobody in particular", "endAll", {}, "invalid_request"],
  ["a tier that there is not", "cleanUp", { tier: "DROP TABLE" }, "invalid_request"],
])("%s is refused by its code, and nothing of it is said again", async (_name, verb, input, code) => {
  const answer = await call("OPERATOR", verb, input);
  expect(answer).toMatchObject({ ok: false, code });
  expect(JSON.stringify(answer)).not.toMatch(/1999|xxxx|DROP/);
});

test("a value that is too large, or that refers to itself, is not kept", async () => {
  const entry = { user: "zoe", id: await openFor("zoe"), key: "cart" };
  expect(await call("FRONT", "setState", { ...entry, value: "x".repeat(70_000) })).toMatchObject({
    code: "too_large",
  });
  expect(await call("FRONT", "setState", entry, true)).toMatchObject({ ok: false, code: "invalid_request" });
  expect(await call("FRONT", "getState", entry)).toEqual({ ok: true, value: null });
});

describe("a request that a front Worker passes on", () => {
  const through = (binding: string, user: string, path = "mcp") =>
    `${worker.caller}/${binding}/fetchFor/${encodeURIComponent(user)}/${path}`;

  test("is of the user that the front Worker names, whatever the request says", async () => {
    const opened = await post(through("FRONT", "zoe"), initialize, { Authorization: `Bearer ${keys.alice}` });
    expect(opened.status).toBe(200);
    const session = { "Mcp-Session-Id": opened.headers.get("Mcp-Session-Id") ?? "" };
    const info = {
      jsonrpc: "2.0",
      id: 2,
      method: "tools/call",
      params: { name: "session_info", arguments: {} },
    };
    const answer = await post(through("FRONT", "zoe"), info, { ...session, Accept: "application/json" });
    expect(await answer.text()).toContain(String.raw`[\\\"binding:front\\\",\\\"zoe\\\"]`);
    for (const path of [through("FRONT", "ben"), through("OTHER", "zoe")])
      expect((await post(path, info, session)).status).toBe(404);
    expect(
      (await post(`${worker.url}/mcp`, info, { ...session, Authorization: `Bearer ${keys.alice}` })).status,
    ).toBe(404);
  });

  test("needs the scope of its route", async () => {
    expect((await fetch(through("FRONT", "zoe", "sessions"))).status).toBe(403);
    expect((await fetch(through("OPERATOR", "zoe", "sessions"))).status).toBe(200);
  });

  test("cannot be forged by headers", async () => {
    const headers = {
      "Cf-Worker": "front",
      "X-Caller": "front",
      "X-User": "zoe",
      Props: '{"caller":"front"}',
    };
    expect((await post(`${worker.url}/mcp`, initialize, headers)).status).toBe(401);
    expect((await post(`${worker.caller}/OPERATOR/fetch/zoe/mcp`, initialize, headers)).status).toBe(401);
    expect((await post(through("NOBODY", "zoe"), initialize, headers)).status).toBe(403);
  });
});

test("an outage is an answer: why, and when to try again", async () => {
  const id = await openFor("zoe");
  await databases.postgres.stop();
  try {
    expect(await call("FRONT", "resume", { user: "zoe", id })).toMatchObject({
      ok: false,
      code: "sessions_unavailable",
      retryAfterSeconds: 5,
      fault: { kind: "database_unreachable" },
    });
  } finally {
    await databases.postgres.start();
    // A count that succeeds closes the circuit.
    expect(await call("OPERATOR", "census")).toMatchObject({ ok: true });
  }
  expect(await call("FRONT", "resume", { user: "zoe", id })).toMatchObject({ ok: true });
});

test("each call has a line in the log, without users and ids", async () => {
  const id = await openFor("a-user-of-this-test");
  const calls = () => worker.lines.filter((line) => line.includes('"call"')).map((line) => JSON.parse(line));
  await expect.poll(() => calls().at(-1)).toMatchObject({ verb: "open", by: "front", outcome: "succeeded" });
  expect(worker.lines.join("\n")).not.toContain("a-user-of-this-test");
  expect(worker.lines.join("\n")).not.toContain(id);
});
