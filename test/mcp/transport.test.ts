// A server that was made for one request, and what it knows of the session that the request is part of.
import { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { expect, test } from "vitest";
import { acceptingBoth, SessionTransport } from "../../src/mcp/transport.ts";
import type { Session } from "../../src/session/session.ts";

const session: Session = {
  key: "00".repeat(32),
  principal: "alice",
  protocolVersion: "2025-06-18",
  clientInfo: { name: "a client", version: "1" },
  capabilities: { sampling: {}, elicitation: { form: {} }, roots: {} },
  logLevel: "error",
  createdAt: new Date(0),
  lastActive: new Date(0),
  expiresAt: new Date(0),
  isDegraded: false,
};

/** Serves one call of a tool to a restored session; hands back the messages of the stream. */
async function call(register: (server: McpServer) => void, restored: Session = session) {
  const server = new McpServer({ name: "test", version: "1" }, { capabilities: { logging: {} } });
  register(server);
  const transport = new SessionTransport();
  await server.connect(transport);
  transport.sessionId = "the-id";
  await transport.restore(restored);
  const body = {
    jsonrpc: "2.0",
    id: 7,
    method: "tools/call",
    params: { name: "t", arguments: {}, _meta: { progressToken: 1 } },
  };
  const request = new Request("https://worker.test/mcp", {
    method: "POST",
    headers: {
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
      "MCP-Protocol-Version": "2025-06-18",
    },
    body: JSON.stringify(body),
  });
  const response = await transport.handleRequest(request);
  const messages = [...(await response.text()).matchAll(/^data: (.+)$/gm)].map(([, data = ""]) =>
    JSON.parse(data),
  );
  return { server, response, messages };
}

const text = (value: unknown) => ({ content: [{ type: "text" as const, text: JSON.stringify(value) }] });
const config = { inputSchema: z.object({}) };

test("knows the client, its capabilities, the revision and the session id", async () => {
  const { response, messages } = await call((server) =>
    server.registerTool("t", config, (_, context) =>
      text([
        server.server.getClientVersion(),
        server.server.getClientCapabilities(),
        server.server.getNegotiatedProtocolVersion(),
        context.sessionId,
      ]),
    ),
  );
  expect(response.headers.get("Mcp-Session-Id")).toBe("the-id");
  // The stream has the answer to the client's request and none to what was replayed.
  expect(messages).toHaveLength(1);
  expect(messages[0].id).toBe(7);
  expect(JSON.parse(messages[0].result.content[0].text)).toEqual([
    session.clientInfo,
    session.capabilities,
    session.protocolVersion,
    "the-id",
  ]);
});

test("sends progress and log messages over the stream, and only those of the level that was asked for", async () => {
  const { messages } = await call((server) =>
    server.registerTool("t", config, async (_, { mcpReq }) => {
      await mcpReq.notify({ method: "notifications/progress", params: { progressToken: 1, progress: 1 } });
      await mcpReq.log("warning", "too quiet");
      await mcpReq.log("error", "loud enough");
      return text("done");
    }),
  );
  expect(messages.map(({ method, params }) => [method, params?.data])).toEqual([
    ["notifications/progress", undefined],
    ["notifications/message", "loud enough"],
    [undefined, undefined],
  ]);
});

test.each([
  [
    "elicitation",
    (server: McpServer) =>
      server.server.elicitInput({ message: "?", requestedSchema: { type: "object", properties: {} } }),
  ],
  ["sampling", (server: McpServer) => server.server.createMessage({ messages: [], maxTokens: 1 })],
  ["roots", (server: McpServer) => server.server.listRoots()],
])("a tool that asks its client (%s) fails at once and says why", async (_, ask) => {
  const { messages } = await call((server) =>
    server.registerTool("t", config, async () => text(await ask(server))),
  );
  expect(messages).toMatchObject([
    {
      id: 7,
      result: {
        isError: true,
        content: [
          { text: "This server cannot ask its client (elicitation, sampling, roots) before MCP 2026-07-28" },
        ],
      },
    },
  ]);
});

test("is asked what its client has said, and nothing else", async () => {
  const restored = async (of: Session) => {
    const server = new McpServer({ name: "test", version: "1" }, { capabilities: { logging: {} } });
    const transport = new SessionTransport();
    await server.connect(transport);
    const seen: unknown[] = [];
    const { onmessage } = transport;
    const note: typeof onmessage = (message, extra) => {
      seen.push([Object(message).method, Object(message).params]);
      onmessage?.(message, extra);
    };
    Object.assign(transport, { onmessage: note });
    await transport.restore(of);
    return seen;
  };
  const { protocolVersion, clientInfo, capabilities } = session;
  const always = [
    ["initialize", { protocolVersion, clientInfo, capabilities }],
    ["notifications/initialized", undefined],
  ];
  expect(await restored(session)).toEqual([...always, ["logging/setLevel", { level: "error" }]]);
  expect(await restored({ ...session, logLevel: null })).toEqual(always);
});

test("a call that is suspended ends with its questions, and its response goes nowhere", async () => {
  const server = new McpServer({ name: "test", version: "1" });
  const stored: unknown[] = [];
  let closed = 0;
  const transport = new SessionTransport({
    eventStore: {
      storeEvent: async (_, message) => String(stored.push(message)),
      replayEventsAfter: () => Promise.reject(new Error("Nothing is replayed")),
    },
    onClosed: () => void (closed += 1),
  });
  const question = { jsonrpc: "2.0" as const, id: "q", method: "ping" };
  server.registerTool("t", config, async () => {
    await transport.suspend(7, [question]);
    return text("nobody reads it");
  });
  await server.connect(transport);
  await transport.restore(session);
  const send = transport.send.bind(transport);
  const responded = new Promise<void>((resolve) => {
    transport.send = async (message, options) => {
      await send(message, options);
      if ("result" in message) resolve();
    };
  });
  const response = await transport.handleRequest(
    new Request("https://worker.test/mcp", {
      method: "POST",
      headers: {
        Accept: "application/json, text/event-stream",
        "Content-Type": "application/json",
        "MCP-Protocol-Version": "2025-06-18",
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 7,
        method: "tools/call",
        params: { name: "t", arguments: {} },
      }),
    }),
  );
  await responded;
  expect([stored, closed]).toEqual([[question], 1]);
  expect(
    [...(await response.text()).matchAll(/^data: (.+)$/gm)].map(([, data = ""]) => JSON.parse(data)),
  ).toEqual([question]);
});

test.each([undefined, "application/json", "text/event-stream;q=0.1"])(
  "a request that accepts %s accepts both for the SDK, and is the same otherwise",
  (accept) => {
    const headers = { "Mcp-Session-Id": "x", ...(accept !== undefined && { Accept: accept }) };
    const request = new Request("https://worker.test/mcp?a=b", { method: "POST", headers });
    const { url, method, headers: sent } = acceptingBoth(request);
    expect([url, method, Object.fromEntries(sent)]).toEqual([
      "https://worker.test/mcp?a=b",
      "POST",
      { accept: "application/json, text/event-stream", "mcp-session-id": "x" },
    ]);
  },
);

test("a request ends with its own signal, or with that of work that outlives it", () => {
  const [own, other] = [new AbortController(), new AbortController()];
  const request = new Request("https://worker.test/mcp", { method: "POST", signal: own.signal });
  own.abort();
  expect(
    [acceptingBoth(request), acceptingBoth(request, other.signal)].map(({ signal }) => signal.aborted),
  ).toEqual([true, false]);
});
