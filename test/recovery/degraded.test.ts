// MCP_DEGRADED_MODE=serve: what clients get while the database cannot be asked.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { callTool, clientInfo, end, initializeParams, mcp, open, rowsOf } from "../support/mcp.ts";
import { createDatabase, keys, setFaults } from "../support/worker.ts";

afterEach(() => setFaults());

const ping = { method: "ping" };
// The shortest delays between attempts, and time for all of them.
beforeEach(() => {
  vi.spyOn(Math, "random").mockReturnValue(0);
});
const PATIENT = { MCP_SESSION_TIMEOUT_MS: "30000" };
const SERVE = { ...PATIENT, MCP_DEGRADED_MODE: "serve" };
const down = () => setFaults({ fault: { kind: "reset" } });

test("a session that the isolate knows is served as it was, and says that it is degraded", async () => {
  const database = await createDatabase();
  const env = database.env(SERVE);
  const session = await open(env);
  expect((await mcp(env, ping, { session })).headers.get("Mcp-Session-Degraded")).toBeNull();
  const rows = await rowsOf(database);
  await down();
  const response = await mcp(env, ping, { session });
  expect([response.status, response.headers.get("Mcp-Session-Degraded")]).toEqual([200, "true"]);
  expect((await callTool(env, session, "session_info")).structuredContent).toMatchObject({
    is_degraded: true,
    client_info: clientInfo,
    principal: "alice",
  });
  expect(logged("MCP session served degraded")).toHaveLength(2);
  await setFaults();
  expect(await rowsOf(database)).toEqual(rows);
});

test("one that it does not know is served too, with next to nothing known of it", async () => {
  const database = await createDatabase();
  const session = await open(database.env());
  await down();
  const answer = await callTool(database.env(SERVE), session, "session_info");
  expect(answer.structuredContent).toMatchObject({
    is_degraded: true,
    client_info: { name: "unknown" },
    capabilities: {},
  });
});

test("state tools fail and say why, and nothing is written later", async () => {
  const database = await createDatabase();
  const env = database.env(SERVE);
  const session = await open(env);
  await mcp(env, ping, { session });
  const rows = await rowsOf(database);
  await down();
  for (const [name, input] of [
    ["session_state_get", { key: "k" }],
    ["session_state_set", { key: "k", value: 1 }],
    ["session_state_delete", { key: "k" }],
  ] as const) {
    const answer = await callTool(env, session, name, input);
    expect([answer.isError, answer.content[0]?.text]).toEqual([
      true,
      "The session's state cannot be reached at the moment; nothing was done",
    ]);
  }
  await setFaults();
  expect(await rowsOf(database)).toEqual(rows);
});

test("a session that was ended here stays ended", async () => {
  const database = await createDatabase();
  const env = database.env(SERVE);
  const [mine, other] = [await open(env), await open(env)];
  for (const session of [mine, other]) await mcp(env, ping, { session });
  await end(env, mine);
  await callTool(env, other, "end_my_other_sessions");
  await down();
  expect((await mcp(env, ping, { session: mine })).status).toBe(404);
  expect((await mcp(env, ping, { session: other })).status).toBe(200);
});

test("a new session, the end of one, a malformed id and a wrong key are refused as ever", async () => {
  const database = await createDatabase();
  const env = database.env(SERVE);
  const session = await open(env);
  await down();
  expect((await mcp(env, { method: "initialize", params: initializeParams })).status).toBe(503);
  expect((await end(env, session)).status).toBe(503);
  expect((await mcp(env, ping, { session: "short" })).status).toBe(404);
  expect((await mcp(env, ping, { session, key: keepSecret("nobody-0123456789abcdefghij") })).status).toBe(
    401,
  );
  // Of what the isolate remembers of alice's session, bob sees nothing.
  expect(
    (await callTool(env, session, "session_info", {}, { key: keys.bob })).structuredContent,
  ).toMatchObject({ principal: "bob", client_info: { name: "unknown" } });
});

test("an answer of the database is no outage: a lost privilege is refused in this mode too", async () => {
  const database = await createDatabase();
  const env = database.env(SERVE);
  const session = await open(env);
  await mcp(env, ping, { session });
  await database.query("REVOKE SELECT ON mcp_sessions FROM mcp");
  expect((await mcp(env, ping, { session })).status).toBe(503);
});

test("by default everything is refused", async () => {
  const database = await createDatabase();
  const env = database.env(PATIENT);
  const session = await open(env);
  await mcp(env, ping, { session });
  await down();
  expect((await mcp(env, ping, { session })).status).toBe(503);
});
