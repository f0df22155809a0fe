// A stored call that is served as one of MCP 2026-07-28.
import { type AuthInfo, McpServer } from "@modelcontextprotocol/server";
import { expect, test } from "vitest";
import * as z from "zod";
import { serveModern } from "../../src/mcp/modern-call.ts";
import { messageTextsOf } from "../../src/session/protocol.ts";
import { metaOf, says } from "./served.ts";

const authInfo: AuthInfo = { token: "", clientId: "alice", scopes: ["mcp"] };

/** Serves it to a server with the tool `do`. */
function serve(params: Record<string, unknown>, headers?: Record<string, string>) {
  const seen: unknown[] = [];
  const create = async () => {
    const server = new McpServer({ name: "test", version: "1" });
    server.registerTool("do", { inputSchema: z.object({}) }, (_, { http }) => {
      seen.push([http?.authInfo, http?.req?.url, http?.req?.headers.get("Mcp-Param-Region")]);
      return says("done");
    });
    return server;
  };
  const call = { id: 7, method: "tools/call", params, ...(headers !== undefined && { headers }) };
  const { signal } = new AbortController();
  const response = serveModern(call, { create, url: "https://worker.test/mcp", signal, authInfo });
  return { seen, response };
}

test("it is answered with a stream, also when nothing is reported, for its caller and with its headers", async () => {
  const call = { name: "do", arguments: {}, _meta: metaOf() };
  const { seen, response } = serve(call, { "Mcp-Param-Region": "north" });
  const { status, headers } = await response;
  expect([status, headers.get("Content-Type")]).toEqual([200, "text/event-stream"]);
  const messages = await messageTextsOf(await response);
  expect(messages.map((text) => JSON.parse(text))).toMatchObject([{ id: 7, result: says("done") }]);
  expect(seen).toEqual([[authInfo, "https://worker.test/mcp", "north"]]);
});

test("one that says nothing of its client is refused", async () => {
  const { seen, response } = serve({ name: "do", arguments: {} });
  const { status, headers } = await response;
  expect([status, headers.get("Content-Type")]).toEqual([400, "application/json"]);
  expect(await (await response).json()).toMatchObject({ id: 7, error: { code: -32602 } });
  expect(seen).toEqual([]);
});
