// The middleware before a handler that knows nothing of this project, for callers that are no keys.
import { Hono } from "hono";
import { expect, test } from "vitest";
import { AppError, errorResponse } from "../../src/http/errors.ts";
import type { RequestVariables } from "../../src/http/request-log.ts";
import { sessionMiddleware, type SessionVariables } from "../../src/session/middleware.ts";
import { keepSecret } from "../support/captured-logs.ts";
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
