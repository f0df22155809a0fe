// What the MCP endpoint refuses, and how: status, whole body, and what is in the database afterwards.
import { afterEach, describe, expect, test, vi } from "vitest";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { callTool, end, initializeParams, mcp, type McpOptions, open, rowsOf } from "../support/mcp.ts";
import { createDatabase, databaseRequests, keys, send, setFaults } from "../support/worker.ts";

afterEach(() => setFaults());

const list = { method: "tools/list" };
const error = (code: number, message: string) =>
  JSON.stringify({ jsonrpc: "2.0", error: { code, message }, id: null });
const NOT_FOUND = error(-32001, "Session not found");

describe("without asking the database", () => {
  const wellFormed = "A".repeat(43);
  test.each<[string, object | string, McpOptions, number, string]>([
    [
      "no key",
      list,
      { headers: { Authorization: undefined } },
      401,
      error(-32000, "A valid key is required"),
    ],
    [
      "a wrong key",
      list,
      { key: "x".repeat(30), session: wellFormed },
      401,
      error(-32000, "A valid key is required"),
    ],
    [
      "a key without the scope",
      list,
      { key: keys.health },
      403,
      error(-32000, "The key does not have the scope that this route needs"),
    ],
    [
      "a foreign page",
      list,
      { headers: { Origin: "https://evil.example" } },
      403,
      error(-32000, "The Origin is not allowed"),
    ],
    [
      "a page that has no origin to name",
      list,
      { headers: { Origin: "null" } },
      403,
      error(-32000, "The Origin is not allowed"),
    ],
    [
      "a page of the client's machine, to a Worker elsewhere",
      list,
      { headers: { Origin: "http://localhost:3000" } },
      403,
      error(-32000, "The Origin is not allowed"),
    ],
    ["no session id", list, {}, 400, error(-32000, "The header Mcp-Session-Id is required")],
    [
      "a notification without a session id",
      { jsonrpc: "2.0", id: undefined, method: "notifications/initialized" },
      {},
      400,
      error(-32000, "The header Mcp-Session-Id is required"),
    ],
    [
      "a batch without a session id",
      [{ jsonrpc: "2.0", id: 1, method: "ping" }],
      {},
      400,
      error(-32000, "The header Mcp-Session-Id is required"),
    ],
    ["an id that is too short", list, { session: "short" }, 404, NOT_FOUND],
    ["an id that is too long", list, { session: "A".repeat(5000) }, 404, NOT_FOUND],
    ["an id with other characters", list, { session: `${"A".repeat(42)}~` }, 404, NOT_FOUND],
    ["an id with a space in it", list, { session: `${"A".repeat(20)} ${"A".repeat(22)}` }, 404, NOT_FOUND],
    ["an empty id", list, { session: "" }, 404, NOT_FOUND],
    [
      "an unknown revision",
      list,
      { session: wellFormed, headers: { "MCP-Protocol-Version": "2024-01-01" } },
      400,
      error(-32000, "The MCP-Protocol-Version is not supported"),
    ],
    ["a body that is not JSON", "{", { session: wellFormed }, 400, error(-32700, "The body is not JSON")],
    ["an empty body", "", { session: wellFormed }, 400, error(-32700, "The body is not JSON")],
    [
      "a body that is too large",
      `"${"x".repeat(1024 * 1024)}"`,
      { session: wellFormed },
      413,
      error(-32000, "The request body is too large"),
    ],
    [
      "another content type",
      list,
      { session: wellFormed, headers: { "Content-Type": "text/plain" } },
      415,
      error(-32000, "Content-Type must be application/json"),
    ],
    [
      "no content type",
      list,
      { session: wellFormed, headers: { "Content-Type": undefined } },
      415,
      error(-32000, "Content-Type must be application/json"),
    ],
    [
      "a compressed body",
      list,
      { session: wellFormed, headers: { "Content-Encoding": "gzip" } },
      415,
      error(-32000, "The body must not be compressed: Content-Encoding must be left out"),
    ],
    [
      "a name of no revision",
      list,
      { session: wellFormed, headers: { "MCP-Protocol-Version": "latest" } },
      400,
      error(-32000, "The MCP-Protocol-Version is not supported"),
    ],
    [
      "two revisions",
      list,
      { session: wellFormed, headers: { "MCP-Protocol-Version": "2026-07-28, 2026-07-28" } },
      400,
      error(-32000, "The MCP-Protocol-Version is not supported"),
    ],
    [
      "a batch of the revision without sessions",
      [{ jsonrpc: "2.0", id: 1, method: "ping" }],
      { session: wellFormed, headers: { "MCP-Protocol-Version": "2026-07-28" } },
      400,
      error(-32600, "Batches ended with MCP 2025-03-26: send one message a request"),
    ],
    [
      "Accept with neither JSON nor streams",
      list,
      { session: wellFormed, headers: { Accept: "text/html" } },
      406,
      error(-32000, "Accept must allow application/json or text/event-stream"),
    ],
    [
      "GET",
      "",
      { session: wellFormed, method: "GET" },
      405,
      error(-32000, "The route does not support this method"),
    ],
    [
      "PUT",
      "",
      { session: wellFormed, method: "PUT" },
      405,
      error(-32000, "The route does not support this method"),
    ],
    [
      "DELETE without a session id",
      "",
      { method: "DELETE" },
      400,
      error(-32000, "The header Mcp-Session-Id is required"),
    ],
  ])("%s", async (_, message, options, status, body) => {
    const database = await createDatabase();
    const before = await databaseRequests();
    const response = await mcp(database.env(), message, options);
    expect([response.status, await response.text()]).toEqual([status, body]);
    expect(response.headers.get("Content-Type")).toBe("application/json");
    expect(response.headers.get("WWW-Authenticate") !== null).toBe(
      status === 401 || (status === 403 && options.key !== undefined),
    );
    expect(response.headers.get("Allow")).toBe(status === 405 ? "POST, DELETE, OPTIONS" : null);
    expect(response.headers.get("Mcp-Session-Id")).toBeNull();
    expect(await databaseRequests()).toBe(before);
    expect(await rowsOf(database)).toEqual([]);
  });
});

test("unknown, expired, ended and foreign sessions are answered the same to the byte, and none is changed", async () => {
  const database = await createDatabase();
  const env = database.env();
  const [expired, ended, foreign] = [await open(env), await open(env), await open(env, { key: keys.bob })];
  await database.query(
    "UPDATE mcp_sessions SET expires_at = now() - interval '1 millisecond' WHERE created_at = (SELECT min(created_at) FROM mcp_sessions)",
  );
  expect((await end(env, ended)).status).toBe(204);
  const rows = await rowsOf(database);
  const unknown = keepSecret("u".repeat(43));

  const answers = new Set<string>();
  for (const session of [unknown, expired, ended, foreign]) {
    for (const response of [await mcp(env, list, { session }), await end(env, session)]) {
      const headers = [...response.headers].filter(([name]) => name !== "x-request-id");
      expect([response.status, await response.clone().text()]).toEqual([404, NOT_FOUND]);
      answers.add(JSON.stringify([await response.text(), headers]));
    }
  }
  expect(answers.size).toBe(1);
  expect(await rowsOf(database)).toEqual(rows);
  // The owner's key opens it.
  expect((await mcp(env, list, { session: foreign, key: keys.bob })).status).toBe(200);
});

test("a session is its principal's, not the key's: a rotated key goes on with it", async () => {
  const database = await createDatabase();
  const young = keepSecret("alice-new-key-0123456789abc");
  const session = await open(database.env());
  const env = database.env({ API_KEYS: `alice:mcp:${young}` });
  expect((await mcp(env, list, { session, key: young })).status).toBe(200);
  expect((await mcp(env, list, { session })).status).toBe(401);
});

test("a store that cannot be reached is 503 and never 404, for every kind of request", async () => {
  const database = await createDatabase();
  // The shortest delays between attempts, and time for all of them.
  vi.spyOn(Math, "random").mockReturnValue(0);
  const env = database.env({ MCP_SESSION_TIMEOUT_MS: "30000" });
  const session = await open(env);
  const rows = await rowsOf(database);
  const waiting = [error(-32603, "The session store cannot be reached; try again"), "5"] as const;
  // Waiting some seconds does not help.
  const useless = [error(-32603, "The session store cannot be used; its operator must act"), null] as const;
  for (const [kind, [body, retryAfter]] of [
    ["quota", useless],
    ["reset", waiting],
    ["control-plane", waiting],
  ] as const) {
    await setFaults({ fault: { kind } });
    const requests = [
      () => mcp(env, { method: "initialize", params: initializeParams }),
      () => mcp(env, list, { session }),
      () => end(env, session),
    ];
    for (const request of requests) {
      const response = await request();
      expect([response.status, await response.text(), response.headers.get("Retry-After")]).toEqual([
        503,
        body,
        retryAfter,
      ]);
      expect(response.headers.get("Mcp-Session-Id")).toBeNull();
    }
  }
  await setFaults();
  expect(logged("MCP session store failed")).toHaveLength(9);
  expect(await rowsOf(database)).toEqual(rows);
  // The circuit of that isolate may still be open; another one's is not.
  expect((await mcp(database.env(), list, { session })).status).toBe(200);
});

test("an initialize that the server refuses opens nothing", async () => {
  const database = await createDatabase();
  const before = await databaseRequests();
  for (const params of [undefined, {}, { protocolVersion: 1 }]) {
    const response = await mcp(database.env(), { method: "initialize", params });
    expect(response.headers.get("Mcp-Session-Id")).toBeNull();
  }
  const two = [1, 2].map((id) => ({ jsonrpc: "2.0", id, method: "initialize", params: initializeParams }));
  const response = await mcp(database.env(), two);
  expect(response.status).toBe(400);
  expect(await databaseRequests()).toBe(before);
  expect(await rowsOf(database)).toEqual([]);
});

test("the database holds the hash of the id, and the log the first eight characters of that", async () => {
  const database = await createDatabase();
  const id = await open(database.env());
  expect(id).toMatch(/^[A-Za-z0-9_-]{43}$/);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(id)));
  const key = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  expect((await rowsOf(database)).map(({ session_id: stored }) => stored)).toEqual([key]);
  await end(database.env(), id);
  const session = key.slice(0, 8);
  expect(logged("MCP session opened")).toEqual([expect.objectContaining({ session, principal: "alice" })]);
  expect(logged("MCP session ended")).toEqual([
    expect.objectContaining({ session, principal: "alice", reason: "client" }),
  ]);
  expect(logged("request").map((line) => line["session"])).toEqual([session, session]);
});

describe("pages", () => {
  const origin = "https://app.example.com";

  test("an allowed origin is served, and may read the session id", async () => {
    const database = await createDatabase();
    const env = database.env({ ALLOWED_ORIGINS: `https://other.example, ${origin}` });
    const response = await mcp(
      env,
      { method: "initialize", params: initializeParams },
      { headers: { Origin: origin } },
    );
    expect(response.status).toBe(200);
    expect(response.headers.get("Access-Control-Allow-Origin")).toBe(origin);
    expect(response.headers.get("Access-Control-Expose-Headers")).toContain("Mcp-Session-Id");
    keepSecret(response.headers.get("Mcp-Session-Id") ?? "");
  });

  test("a page may ask beforehand, without a key; only an allowed one gets a yes", async () => {
    const database = await createDatabase();
    const env = database.env({ ALLOWED_ORIGINS: origin });
    const ask = (from: string) =>
      send(env, "/mcp", {
        method: "OPTIONS",
        headers: { Origin: from, "Access-Control-Request-Method": "POST" },
      });
    const yes = await ask(origin);
    expect([yes.status, yes.headers.get("Access-Control-Allow-Origin")]).toEqual([204, origin]);
    expect(yes.headers.get("Access-Control-Allow-Headers")).toContain("Mcp-Session-Id");
    expect((await ask("https://evil.example")).headers.get("Access-Control-Allow-Origin")).toBeNull();
  });

  test("a page of this machine may call a Worker of this machine", async () => {
    const database = await createDatabase();
    const request = (to: string) =>
      send(database.env(), "/mcp", { method: "POST", headers: { Origin: "http://localhost:6274" } }, to);
    // 401, not 403: it has come past the origin.
    expect((await request("http://127.0.0.1:8787")).status).toBe(401);
    expect((await request("https://mcp.example.com")).status).toBe(403);
  });
});

test("a request of 2026-07-28 never meets the session gate: no row, no header, no query", async () => {
  const database = await createDatabase();
  const before = await databaseRequests();
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "modern", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const headers = { "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list" };
  for (const session of [undefined, "A".repeat(43), "junk"]) {
    const response = await mcp(
      database.env(),
      { method: "tools/list", params: { _meta: meta } },
      { session, headers },
    );
    expect([response.status, await response.clone().text()]).toEqual([
      200,
      expect.stringContaining("session_info"),
    ]);
    expect(await response.text()).not.toContain("session_state_get");
    expect(response.headers.get("Mcp-Session-Id")).toBeNull();
  }
  expect(await databaseRequests()).toBe(before);
  expect(await rowsOf(database)).toEqual([]);
});

test("initialize is one round trip, each later request one, and a tool what it asks for", async () => {
  const database = await createDatabase();
  const env = database.env();
  const spent = async (work: () => Promise<unknown>) => {
    const before = await databaseRequests();
    await work();
    return (await databaseRequests()) - before;
  };
  let session = "";
  expect(await spent(async () => (session = await open(env)))).toBe(1);
  expect(await spent(() => mcp(env, list, { session }))).toBe(1);
  expect(await spent(() => callTool(env, session, "session_info"))).toBe(1);
  expect(await spent(() => callTool(env, session, "session_state_get", { key: "k" }))).toBe(2);
  expect(await spent(() => end(env, session))).toBe(1);
});
