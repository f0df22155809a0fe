// The official TypeScript clients against the Worker under `wrangler dev`: from connecting to being gone.
import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  call,
  capabilities,
  clientInfo,
  connectV1,
  connectV2,
  openSession,
  send,
  toolMessage,
  toolNames,
} from "./connections.ts";
import { startSystem, type System, type TestWorker } from "./support.ts";

const SESSIONLESS_TOOLS = [
  "ask_name",
  "ask_person_and_model",
  "ask_twice",
  "await_client_gone",
  "end_my_other_sessions",
  "greet",
  "later",
  "list_my_sessions",
  "read_notes",
  "report",
  "session_info",
  "work",
];
const STATE_TOOLS = ["delete", "get", "increment", "set"].map((verb) => `session_state_${verb}`);
const ALL_TOOLS = [...SESSIONLESS_TOOLS, ...STATE_TOOLS, "get_then_set"].toSorted();

// JSON-RPC 2.0 §5.1; what the SDKs answer for a tool that is not there.
const INVALID_PARAMS = -32_602;
const NOT_FOUND = { jsonrpc: "2.0", error: { code: -32_001, message: expect.any(String) }, id: null };
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

let system: System;
let worker: TestWorker;
beforeAll(async () => {
  system = await startSystem();
  worker = await system.startWorker();
});
afterAll(() => system.stop());
beforeEach(() => system.ask("TRUNCATE mcp_sessions"));

interface Row {
  session_id: string;
  principal: string;
  state: unknown;
  is_ended: boolean;
  is_expired: boolean;
}

const rows = () =>
  system.ask<Row>(
    `SELECT session_id, principal, state, ended_at IS NOT NULL AS is_ended, expires_at <= now() AS is_expired
       FROM mcp_sessions ORDER BY created_at`,
  );
const keyOf = (id: string | undefined) =>
  createHash("sha256")
    .update(id ?? "")
    .digest("hex");
const nameOf = (id: string | undefined) => keyOf(id).slice(0, 8);
const asAlice = () => ({ mcp: () => worker.mcp, key: system.keys.alice });
const opened = (key: string) => openSession(worker.mcp, key);

describe.each([
  ["@modelcontextprotocol/sdk 1.x", connectV1],
  ["@modelcontextprotocol/client 2.x by default", connectV2()],
])("%s", (_name, connect) => {
  test("has a session that knows what the client declared", async () => {
    const connection = await connect(asAlice());
    expect(connection.protocolVersion()).toBe("2025-11-25");
    expect(await call(connection, "session_info")).toEqual({
      session: nameOf(connection.sessionId()),
      principal: "alice",
      protocol_version: "2025-11-25",
      client_info: clientInfo,
      capabilities,
      log_level: null,
      is_degraded: false,
      created_at: TIME,
      last_active: TIME,
      expires_at: TIME,
    });
    await connection.client.close();
  });

  test("sees every tool, and uses state and sessions of its own", async () => {
    const connection = await connect(asAlice());
    const id = connection.sessionId();
    const other = await opened(system.keys.alice);
    const foreign = await opened(system.keys.bob);
    const tool = (name: string, args?: Record<string, unknown>) => call(connection, name, args);

    const cart = { items: [1, 2.5], note: "für später", empty: null };
    const written = await tool("session_state_set", { key: "cart", value: cart });
    const [size] = await system.ask<{ bytes: number }>(
      "SELECT octet_length(state::text) AS bytes FROM mcp_sessions WHERE session_id = $1",
      [keyOf(id)],
    );
    expect(written).toEqual({ key: "cart", version: 1, size_bytes: size?.bytes });
    expect(await tool("session_state_get", { key: "cart" })).toEqual({
      found: true,
      value: cart,
      version: 1,
    });
    expect(await tool("session_state_delete", { key: "cart" })).toEqual({ deleted: true });
    expect(await tool("session_state_delete", { key: "cart" })).toEqual({ deleted: false });
    expect(await tool("session_state_get", { key: "cart" })).toEqual({
      found: false,
      value: null,
      version: 0,
    });

    const times = { created_at: TIME, last_active: TIME, expires_at: TIME };
    const own = [
      { session: nameOf(id), client: clientInfo.name, is_current: true, ...times },
      { session: nameOf(other), client: clientInfo.name, is_current: false, ...times },
    ];
    const { sessions } = (await tool("list_my_sessions")) as { sessions: unknown[] };
    expect(sessions).toHaveLength(own.length);
    expect(sessions).toEqual(expect.arrayContaining(own));
    expect(await tool("end_my_other_sessions")).toEqual({ ended: 1 });
    expect(await tool("session_info")).toMatchObject({ session: nameOf(id), principal: "alice" });
    expect(await rows()).toMatchObject([
      { session_id: keyOf(id), principal: "alice", is_ended: false, is_expired: false, state: {} },
      { session_id: keyOf(other), principal: "alice", is_ended: true, is_expired: true },
      { session_id: keyOf(foreign), principal: "bob", is_ended: false, is_expired: false },
    ]);

    expect(await toolNames(connection)).toEqual(ALL_TOOLS);
    await connection.client.close();
  });

  test("ends its session: the row is ended, and its id is not found from then on", async () => {
    const connection = await connect(asAlice());
    const id = connection.sessionId();
    const survivor = await opened(system.keys.alice);
    await connection.terminate();
    await connection.client.close();
    const ending = connection.exchanges.find(({ request }) => request.method === "DELETE");
    expect(ending?.response.status).toBe(204);

    const use = { mcp: worker.mcp, key: system.keys.alice, message: toolMessage("session_info") };
    expect(await send({ ...use, session: id ?? "" })).toMatchObject({ status: 404, body: NOT_FOUND });
    expect(await send({ ...use, session: survivor })).toMatchObject({ status: 200 });
    expect(await rows()).toMatchObject([
      { session_id: keyOf(id), is_ended: true, is_expired: true },
      { session_id: keyOf(survivor), is_ended: false, is_expired: false },
    ]);
  });

  test("leaves its session live when it only closes the connection", async () => {
    const connection = await connect(asAlice());
    const id = connection.sessionId() ?? "";
    await connection.client.close();
    const use = { mcp: worker.mcp, key: system.keys.alice, message: toolMessage("session_info") };
    expect(await send({ ...use, session: id })).toMatchObject({
      status: 200,
      body: { result: { structuredContent: { session: nameOf(id) } } },
    });
    expect(await rows()).toMatchObject([{ session_id: keyOf(id), is_ended: false, is_expired: false }]);
  });
});

describe.each([
  ["@modelcontextprotocol/client 2.x in auto mode", connectV2("auto")],
  ["@modelcontextprotocol/client 2.x pinned to 2026-07-28", connectV2({ pin: "2026-07-28" })],
])("%s", (_name, connect) => {
  test("speaks 2026-07-28 and sees the tools that need no session, and each does what it says", async () => {
    const first = await opened(system.keys.alice);
    const foreign = await opened(system.keys.bob);
    const connection = await connect(asAlice());
    expect(connection.protocolVersion()).toBe("2026-07-28");
    expect(await toolNames(connection)).toEqual(SESSIONLESS_TOOLS);

    expect(await call(connection, "session_info")).toEqual({ session: null, principal: "alice" });
    const times = { created_at: TIME, last_active: TIME, expires_at: TIME };
    expect(await call(connection, "list_my_sessions")).toEqual({
      sessions: [{ session: nameOf(first), client: clientInfo.name, is_current: false, ...times }],
    });
    expect(await call(connection, "end_my_other_sessions")).toEqual({ ended: 1 });
    expect(await rows()).toMatchObject([
      { session_id: keyOf(first), is_ended: true },
      { session_id: keyOf(foreign), is_ended: false },
    ]);
    await connection.client.close();
  });

  test("is refused a tool that needs a session, as one that is not there", async () => {
    const connection = await connect(asAlice());
    const refused = call(connection, "session_state_set", { key: "cart", value: 1 });
    await expect(refused).rejects.toMatchObject({ code: INVALID_PARAMS });
    expect(await rows()).toEqual([]);
    await connection.client.close();
  });

  test("never gets a session: no header, no row, and no question to the database", async () => {
    const session = await opened(system.keys.alice);
    const before = await rows();
    system.neon.resetRequests();
    const connection = await connect(asAlice());
    await toolNames(connection);
    await call(connection, "session_info");
    await connection.terminate();
    await connection.client.close();

    expect(system.neon.requests()).toBe(0);
    expect(await rows()).toEqual(before);
    expect(before).toMatchObject([{ session_id: keyOf(session) }]);
    expect(connection.sessionId()).toBeUndefined();
    const { exchanges } = connection;
    expect(exchanges.map(({ request }) => request.method)).toEqual(["POST", "POST", "POST"]);
    for (const { request, response } of exchanges) {
      expect(response.status).toBe(200);
      expect(response.headers.get("Mcp-Session-Id")).toBeNull();
      expect(request.headers.get("MCP-Protocol-Version")).toBe("2026-07-28");
    }
  });
});
