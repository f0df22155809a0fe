import { expect, test } from "vitest";
import { poll } from "../support/cleanup.ts";
import {
  callTool,
  capabilities,
  clientInfo,
  end,
  mcp,
  messageOf,
  open,
  rowsOf,
  VERSION,
} from "../support/mcp.ts";
import { createDatabase, keys, setFaults } from "../support/worker.ts";

async function opened() {
  const database = await createDatabase();
  const env = database.env();
  const session = await open(env);
  return {
    database,
    env,
    session,
    call: (name: string, input?: object) => callTool(env, session, name, input),
  };
}

test("session_info says who the client said it is, whatever isolate is asked", async () => {
  const { database, session, call } = await opened();
  const expected = {
    session: expect.stringMatching(/^[0-9a-f]{8}$/),
    principal: "alice",
    protocol_version: VERSION,
    client_info: clientInfo,
    capabilities,
    log_level: null,
  };
  expect((await call("session_info")).structuredContent).toMatchObject(expected);
  // An env of its own has an app and stores of its own, as another isolate does.
  const elsewhere = await callTool(database.env(), session, "session_info");
  expect(elsewhere.structuredContent).toMatchObject(expected);
  expect(JSON.parse(elsewhere.content[0]?.text ?? "")).toEqual(elsewhere.structuredContent);
});

test.each([
  ["text", "a ÄÖ🙂 \" \\ '"],
  ["number", -1.5e10],
  ["true", true],
  ["null", null],
  ["nested", { a: [1, { b: null }] }],
])("state keeps a JSON value as it was: %s", async (_, value) => {
  const { call } = await opened();
  expect((await call("session_state_get", { key: "k" })).structuredContent).toEqual({
    found: false,
    value: null,
    version: 0,
  });
  expect((await call("session_state_set", { key: "k", value })).structuredContent).toMatchObject({
    key: "k",
    version: 1,
  });
  expect((await call("session_state_get", { key: "k" })).structuredContent).toEqual({
    found: true,
    value,
    version: 1,
  });
  expect((await call("session_state_delete", { key: "k" })).structuredContent).toEqual({ deleted: true });
  expect((await call("session_state_delete", { key: "k" })).structuredContent).toEqual({ deleted: false });
  expect((await call("session_state_get", { key: "k" })).structuredContent).toEqual({
    found: false,
    value: null,
    version: 0,
  });
});

test("writes of different keys at once all stay", async () => {
  const { call } = await opened();
  const names = Array.from({ length: 30 }, (_, i) => `key ${i}`);
  await Promise.all(names.map((key, i) => call("session_state_set", { key, value: i })));
  const values = await Promise.all(names.map((key) => call("session_state_get", { key })));
  expect(values.map(({ structuredContent }) => structuredContent?.["value"])).toEqual(names.map((_, i) => i));
});

test("state holds 64 KiB and not a byte more; what does not fit changes nothing", async () => {
  const { database, call } = await opened();
  const overhead = Buffer.byteLength('{"k": ""}');
  const fits = "x".repeat(64 * 1024 - overhead);
  expect((await call("session_state_set", { key: "k", value: fits })).structuredContent).toEqual({
    key: "k",
    version: 1,
    size_bytes: 64 * 1024,
  });
  const answer = await call("session_state_set", { key: "k", value: `${fits}x` });
  expect([answer.isError, answer.content[0]?.text]).toEqual([
    true,
    "The session would hold more than 65536 bytes; nothing was written",
  ]);
  expect((await call("session_state_set", { key: "l", value: 1 })).isError).toBe(true);
  expect((await rowsOf(database))[0]?.["state"]).toEqual({ k: fits });
  // A smaller value in its place is taken.
  expect((await call("session_state_set", { key: "k", value: 1 })).isError).toBeUndefined();
});

test.each([
  { key: "", value: 1 },
  { key: "x".repeat(257), value: 1 },
  { key: "a\u0000b", value: 1 },
  { key: "k", value: "a\u0000b" },
  { key: "k", value: { "a\u0000b": 1 } },
  { key: 1, value: 1 },
])("input that cannot be kept is refused, and nothing is written: %j", async (input) => {
  const { database, call } = await opened();
  expect((await call("session_state_set", input)).isError).toBe(true);
  expect((await rowsOf(database))[0]?.["state"]).toBeNull();
});

test("state is the session's own", async () => {
  const { env, call } = await opened();
  await call("session_state_set", { key: "k", value: "mine" });
  const other = await callTool(env, await open(env), "session_state_get", { key: "k" });
  expect(other.structuredContent).toMatchObject({ found: false, value: null });
});

test("a session that is ended while a tool runs says so, and nothing is written", async () => {
  const { database, env, session } = await opened();
  await setFaults({ fault: { kind: "latency", ms: 300 }, matching: "state", times: 1 });
  const writing = callTool(env, session, "session_state_set", { key: "k", value: 1 });
  // Its request has found the session.
  await poll(() => database.query("SELECT FROM mcp_sessions WHERE last_active > created_at"));
  expect((await end(env, session)).status).toBe(204);
  const answer = await writing;
  await setFaults();
  expect([answer.isError, answer.content[0]?.text]).toEqual([true, "The session has ended"]);
  expect((await rowsOf(database))[0]?.["state"]).toBeNull();
});

test("a tool that cannot reach the database fails with the kind and nothing of the driver's", async () => {
  const { env, session } = await opened();
  await setFaults({ fault: { kind: "quota" }, matching: "state ?" });
  const answer = await callTool(env, session, "session_state_get", { key: "k" });
  await setFaults();
  expect([answer.isError, answer.content[0]?.text]).toEqual([
    true,
    "reading session state failed: quota_exceeded",
  ]);
});

test("a principal lists and ends its own live sessions only", async () => {
  const { database, env, session, call } = await opened();
  const [second, third, ended] = [await open(env), await open(env), await open(env)];
  const foreign = await open(env, { key: keys.bob });
  await end(env, ended);
  await mcp(env, { method: "ping" }, { session: second });
  const { sessions } = (await call("list_my_sessions")).structuredContent as {
    sessions: Record<string, unknown>[];
  };
  expect(sessions).toHaveLength(3);
  expect(sessions.filter((entry) => entry["is_current"])).toEqual([sessions[0]]);
  expect(new Set(sessions.map((entry) => entry["client"]))).toEqual(new Set([clientInfo.name]));
  expect(JSON.stringify(sessions)).not.toContain(session);

  expect((await call("end_my_other_sessions")).structuredContent).toEqual({ ended: 2 });
  for (const other of [second, third])
    expect((await mcp(env, { method: "ping" }, { session: other })).status).toBe(404);
  expect((await mcp(env, { method: "ping" }, { session: foreign, key: keys.bob })).status).toBe(200);
  expect((await call("list_my_sessions")).structuredContent).toMatchObject({
    sessions: [{ is_current: true }],
  });
  expect((await rowsOf(database)).filter((row) => row["ended_at"] === null)).toHaveLength(2);
});

test("the log level that a client asked for is kept for its next requests", async () => {
  const { database, env, session, call } = await opened();
  const set = (level: string) => mcp(env, { method: "logging/setLevel", params: { level } }, { session });
  expect((await messageOf(await set("warning"))).result).toEqual({});
  expect((await call("session_info")).structuredContent).toMatchObject({ log_level: "warning" });
  expect((await messageOf(await set("loud"))).error).toBeDefined();
  expect((await rowsOf(database))[0]?.["log_level"]).toBe("warning");
});
