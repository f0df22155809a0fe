// The middleware before a handler that knows nothing of this project, for callers that are no keys.
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { DatabaseFault, type FaultKind } from "../../src/db/fault.ts";
import { AppError, errorResponse, refusalOfFault } from "../../src/http/errors.ts";
import type { RequestVariables } from "../../src/http/request-log.ts";
import { unknownSession } from "../../src/session/degraded.ts";
import {
  sessionMiddleware,
  type SessionMiddlewareOptions,
  type SessionVariables,
} from "../../src/session/middleware.ts";
import { createSessionId, keyOfSession, nameOfSession, type Session } from "../../src/session/session.ts";
import type { SessionStore } from "../../src/session/store.ts";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { initializeParams, rowsOf, sessionsOf } from "../support/mcp.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const result = { protocolVersion: "2025-06-18", capabilities: {}, serverInfo: { name: "own", version: "1" } };

/** A front end with (issuer, subject) for a principal, and a handler that answers as it is told. */
function serve(database: TestDatabase, answer: () => Response) {
  const store = sessionsOf(database);
  const app = new Hono<{ Variables: SessionVariables & RequestVariables }>();
  app.all(
    "/own",
    sessionMiddleware({
      store,
      principal: (c) => `https://issuer.example ${c.req.header("X-Subject") ?? ""}`,
      isLegacy: async () => true,
      protocolVersions: ["2025-06-18"],
    }),
    (c) =>
      c.get("session") === undefined
        ? answer()
        : c.json({ session: c.get("session"), body: c.get("mcpBody") }),
  );
  app.onError((error) => errorResponse(error instanceof AppError ? error : new AppError("internal"), "id"));
  return async (body: object, headers: Record<string, string> = {}) =>
    app.request("/own", {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
        ...headers,
      },
      body: JSON.stringify(body),
    });
}

const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params: initializeParams };
const ping = { jsonrpc: "2.0", id: 2, method: "ping" };

test.each([
  ["JSON", () => Response.json({ jsonrpc: "2.0", id: 1, result })],
  [
    "a stream",
    () =>
      new Response(
        `: hello\n\nevent: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", id: 1, result })}\n\n`,
        {
          headers: { "Content-Type": "text/event-stream" },
        },
      ),
  ],
  [
    "a stream that has other messages before it",
    () =>
      new Response(
        [null, { jsonrpc: "2.0", method: "notifications/message" }, { jsonrpc: "2.0", id: 1, result }]
          .map((message) => `data: ${JSON.stringify(message)}\n\n`)
          .join(""),
        { headers: { "Content-Type": "text/event-stream" } },
      ),
  ],
])(
  "opens a session when the handler answers initialize with %s, for the principal that the front end names",
  async (_, answer) => {
    const database = await createDatabase();
    const post = serve(database, answer);
    const response = await post(initialize, { "X-Subject": "alice" });
    const id = keepSecret(response.headers.get("Mcp-Session-Id") ?? "");
    expect(id).toHaveLength(43);
    expect(await response.text()).toBe(await answer().text());
    expect(await rowsOf(database)).toMatchObject([
      {
        principal: "https://issuer.example alice",
        protocol_version: "2025-06-18",
        client_info: initializeParams.clientInfo,
      },
    ]);
    const used = await post(ping, { "Mcp-Session-Id": id, "X-Subject": "alice" });
    expect(await used.json()).toMatchObject({ session: { protocolVersion: "2025-06-18" }, body: ping });
    expect((await post(ping, { "Mcp-Session-Id": id, "X-Subject": "bob" })).status).toBe(404);
  },
);

test.each([
  ["an error", () => Response.json({ jsonrpc: "2.0", id: 1, error: { code: -32602, message: "no" } })],
  ["a status of failure", () => Response.json({ jsonrpc: "2.0", id: 1, result }, { status: 500 })],
  ["a result without a version", () => Response.json({ jsonrpc: "2.0", id: 1, result: {} })],
  ["something else", () => new Response("<html>"), "<html>"],
  [
    "a version that is no text",
    () => Response.json({ jsonrpc: "2.0", id: 1, result: { protocolVersion: 1 } }),
  ],
  ["no object", () => Response.json(null)],
  ["nothing", () => new Response(null, { status: 202 })],
  [
    "an exception",
    () => {
      throw new Error("the handler failed");
    },
  ],
])("opens none when the handler answers with %s", async (_, answer, text?: string) => {
  const database = await createDatabase();
  const response = await serve(database, answer)(initialize, { "X-Subject": "alice" });
  expect(response.headers.get("Mcp-Session-Id")).toBeNull();
  expect(await response.text()).toContain(text ?? "");
  expect(await rowsOf(database)).toEqual([]);
});

/** The middleware before a handler that says what it got. A failure of the database is answered as the app answers it. */
async function gated(
  over: Partial<SessionMiddlewareOptions> = {},
  { limit = 1000, store = {} }: { limit?: number; store?: Partial<SessionStore> } = {},
) {
  const database = await createDatabase();
  const names: (string | undefined)[] = [];
  const app = new Hono<{ Variables: SessionVariables & RequestVariables }>();
  app.use(async (c, next) => {
    await next();
    names.push(c.get("sessionName"));
  });
  app.all(
    "/own",
    sessionMiddleware({
      store: { ...sessionsOf(database, { maxPerPrincipal: limit }), ...store },
      principal: () => "alice",
      isLegacy: async () => true,
      protocolVersions: ["2025-03-26", "2025-06-18"],
      ...over,
    }),
    (c) =>
      c.get("session") === undefined
        ? c.json({ jsonrpc: "2.0", id: 1, result })
        : c.json({ session: c.get("session"), form: c.get("answerForm"), isLegacy: c.get("isLegacy") }),
  );
  app.onError((error) => {
    if (error instanceof DatabaseFault) return errorResponse(refusalOfFault(error), "id");
    return errorResponse(error instanceof AppError ? error : new AppError("internal"), "id");
  });
  const send = async (body: object | undefined, headers: Record<string, string> = {}, method = "POST") =>
    app.request("/own", {
      method,
      headers: {
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  /** Opens a session. */
  const open = async () => {
    const id = keepSecret((await send(initialize)).headers.get("Mcp-Session-Id") ?? "");
    return { id, name: nameOfSession(await keyOfSession(id)) };
  };
  return { send, open, names };
}

const of = (id: string) => ({ "Mcp-Session-Id": id });
const codeOf = async (response: Response) =>
  (await response.json<{ error?: { code: string } }>()).error?.code ?? "none";

test("a session is named in the logs when it is opened and when it is used", async () => {
  const { send, open, names } = await gated();
  const { id, name } = await open();
  await send(ping, of(id));
  expect(names).toEqual([name, name]);
  expect(logged("MCP session opened")).toMatchObject([
    { level: "INFO", session: name, principal: "alice", protocol_version: "2025-06-18" },
  ]);
  expect(logged("MCP sessions evicted")).toEqual([]);
});

test("an opening that ends others says how many", async () => {
  const { open } = await gated({}, { limit: 1 });
  await open();
  expect(logged("MCP sessions evicted")).toEqual([]);
  await open();
  expect(logged("MCP sessions evicted")).toMatchObject([{ principal: "alice", evicted: 1 }]);
});

test("DELETE ends a session, once", async () => {
  const { send, open } = await gated();
  const [{ id, name }, other] = [await open(), await open()];
  const response = await send(undefined, of(id), "DELETE");
  expect([response.status, await response.text()]).toEqual([204, ""]);
  const refused = await send(undefined, of(id), "DELETE");
  expect([refused.status, await codeOf(refused)]).toEqual([404, "session_not_found"]);
  expect(logged("MCP session ended")).toMatchObject([
    { level: "INFO", session: name, principal: "alice", reason: "client" },
  ]);
  expect((await send(ping, of(id))).status).toBe(404);
  expect((await send(ping, of(other.id))).status).toBe(200);
});

test("a batch is refused by the revision of its session, also when the request names none", async () => {
  const { send, open } = await gated();
  const { id } = await open();
  const refused = await send([ping], of(id));
  expect([refused.status, await codeOf(refused)]).toEqual([400, "invalid_request"]);
});

test("a failure that is answered as a success opens no session", async () => {
  const database = await createDatabase();
  const app = new Hono<{ Variables: SessionVariables & RequestVariables }>();
  const options = {
    store: sessionsOf(database),
    principal: () => "alice",
    isLegacy: async () => true,
    protocolVersions: [],
  };
  app.all("/own", sessionMiddleware(options), () => {
    throw new Error("the handler failed");
  });
  app.onError(() => Response.json({ jsonrpc: "2.0", id: 1, result }));
  const response = await app.request("/own", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(initialize),
  });
  expect([response.status, response.headers.get("Mcp-Session-Id")]).toEqual([200, null]);
  expect(await rowsOf(database)).toEqual([]);
});

test("the form of an answer is the one that its client wants more", async () => {
  const { send, open } = await gated();
  const { id } = await open();
  const forms: [accept: string, form: string][] = [
    ["application/json, text/event-stream", "either"],
    ["text/event-stream,application/json", "either"],
    ["text/*, application/json", "either"],
    ["text/event-stream;q=0.5, application/json;q=0.5", "either"],
    ["application/json", "json"],
    ["*/*", "json"],
    ["application/json, */*", "json"],
    ["application/json, text/event-stream;q=0.9", "json"],
    ["text/event-stream", "stream"],
    ["application/json;q=0.9, text/event-stream", "stream"],
  ];
  for (const [Accept, form] of forms) {
    const response = await send(ping, { ...of(id), Accept });
    expect([Accept, await response.json()]).toMatchObject([Accept, { form, isLegacy: true }]);
  }
});

describe("while the database cannot be asked", () => {
  const faultOf = (kind: FaultKind) =>
    new DatabaseFault("resuming", { kind, retryable: false, outcomeUnknown: false, answered: false });
  const now = new Date("2026-11-25T12:00:00Z");
  const remembered: Session = { ...unknownSession("k", "alice", "2025-06-18", now), isDegraded: false };

  /** A gate whose store fails, for a session that its cache has. */
  async function failing(
    thrown: unknown = faultOf("timeout"),
    over: Partial<SessionMiddlewareOptions> = { recall: () => remembered },
  ) {
    const { send } = await gated(over, { store: { resume: () => Promise.reject(thrown) } });
    const id = keepSecret(createSessionId());
    const key = await keyOfSession(id);
    return {
      key,
      send: async (body?: object, more = {}, method = "POST") => send(body, { ...of(id), ...more }, method),
    };
  }

  test("a session that the cache has is served, and its answer says so", async () => {
    const asked: string[] = [];
    const recall = (key: string, principal: string) => {
      asked.push(`${key} ${principal}`);
      return remembered;
    };
    const { key, send } = await failing(faultOf("quota_exceeded"), { recall });
    const response = await send(ping);
    expect([response.status, response.headers.get("Mcp-Session-Degraded")]).toEqual([200, "true"]);
    expect(await response.json()).toMatchObject({
      session: { key: "k", protocolVersion: "2025-06-18", isDegraded: true },
    });
    expect(asked).toEqual([`${key} alice`]);
    expect(logged("MCP session served degraded")).toMatchObject([
      { level: "WARN", session: nameOfSession(key), principal: "alice", kind: "quota_exceeded" },
    ]);
  });

  test("one that nobody knows is served as an unknown one", async () => {
    const { key, send } = await failing(faultOf("timeout"), { recall: () => undefined });
    const response = await send(ping, { "MCP-Protocol-Version": "2025-03-26" });
    expect(response.headers.get("Mcp-Session-Degraded")).toBe("true");
    expect(await response.json()).toMatchObject({
      session: { key, principal: "alice", protocolVersion: "2025-03-26", isDegraded: true },
    });
  });

  test("one that is known to have ended is not", async () => {
    const { send } = await failing(faultOf("timeout"), { recall: () => "ended" });
    const response = await send(ping);
    expect([response.status, response.headers.get("Mcp-Session-Degraded")]).toEqual([404, null]);
    expect(await codeOf(response)).toBe("session_not_found");
    expect(logged("MCP session served degraded")).toEqual([]);
  });

  test.each<[what: string, error: unknown, over: Partial<SessionMiddlewareOptions>, status: number]>([
    ["without a cache", faultOf("timeout"), {}, 503],
    ["that does not end by itself", faultOf("permission_denied"), { recall: () => remembered }, 503],
    ["that is none of the database", new TypeError("a mistake"), { recall: () => remembered }, 500],
  ])("a failure %s is the answer", async (_, error, over, status) => {
    const { send } = await failing(error, over);
    const response = await send(ping);
    expect([response.status, response.headers.get("Mcp-Session-Degraded")]).toEqual([status, null]);
    expect(logged("MCP session served degraded")).toEqual([]);
  });

  const answer = { jsonrpc: "2.0", id: "q", result: {} };
  const refusal = { jsonrpc: "2.0", id: "q", error: { code: 1, message: "no" } };
  const batched = { "MCP-Protocol-Version": "2025-03-26" };
  const ofBatches: Session = { ...remembered, protocolVersion: "2025-03-26" };

  test.each<[what: string, status: number, body: object, more: object]>([
    ["a request", 200, ping, {}],
    ["a batch of requests", 200, [ping, { ...ping, id: 3 }], batched],
    ["an answer to a question", 503, answer, {}],
    ["an error for a question", 503, refusal, {}],
    ["a batch with an answer", 503, [ping, answer], batched],
  ])("where answers are replayed, %s gets %i", async (_, status, body, more) => {
    const { send } = await failing(faultOf("timeout"), { recall: () => ofBatches, replays: true });
    expect((await send(body, more)).status).toBe(status);
  });

  test("what comes for the rest of an answer is not served", async () => {
    const { send } = await failing(faultOf("timeout"), { recall: () => remembered, replays: true });
    expect((await send(undefined, { "Last-Event-ID": "1" }, "GET")).status).toBe(503);
  });

  test("where none is replayed, an answer is served as a request is", async () => {
    const { send } = await failing();
    for (const body of [answer, refusal]) expect((await send(body)).status).toBe(200);
  });
});
