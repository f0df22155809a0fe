// Connections of real MCP clients to a Worker: the same verbs over either package and every mode of it, and plain
// requests for what a client hides.
import { setTimeout as sleep } from "node:timers/promises";
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { expect } from "vitest";

/** What every client here says of itself. */
export const clientInfo = { name: "e2e", title: "End-to-end test", version: "1.2.3" };
export const capabilities = { roots: { listChanged: true }, sampling: {}, elicitation: { form: {} } };

export interface Exchange {
  request: Request;
  response: Response;
}

/** The part of a client that the tests use; both packages' clients have it. */
interface AnyClient {
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<Record<string, unknown>>;
  setLoggingLevel(level: "warning"): Promise<unknown>;
  close(): Promise<void>;
}

export interface Connection {
  client: AnyClient;
  /** Every request so far, with its response. */
  exchanges: Exchange[];
  sessionId(): string | undefined;
  protocolVersion(): string | undefined;
  /** Ends the session, if there is one, as clients do: with DELETE. */
  terminate(): Promise<void>;
}

export interface ConnectOptions {
  /** Asked before every request, so that one connection may be answered by several Workers. */
  mcp: () => URL;
  key: string;
}

export type Connect = (options: ConnectOptions) => Promise<Connection>;

export const connectV1: Connect = async (options) => {
  const { exchanges, url, settings } = plumbing(options);
  const transport = new TransportV1(url, settings);
  const client = new ClientV1(clientInfo, { capabilities });
  await client.connect(transport);
  return {
    client,
    exchanges,
    sessionId: () => transport.sessionId,
    protocolVersion: () => transport.protocolVersion,
    terminate: () => transport.terminateSession(),
  };
};

type Mode = "legacy" | "auto" | { pin: string };

export const connectV2 =
  (mode?: Mode): Connect =>
  async (options) => {
    const { exchanges, url, settings } = plumbing(options);
    const transport = new TransportV2(url, settings);
    const client = new ClientV2(clientInfo, {
      capabilities,
      ...(mode !== undefined && { versionNegotiation: { mode } }),
    });
    await client.connect(transport);
    return {
      client,
      exchanges,
      sessionId: () => transport.sessionId,
      protocolVersion: () => client.getNegotiatedProtocolVersion(),
      terminate: () => transport.terminateSession(),
    };
  };

function plumbing({ mcp, key }: ConnectOptions) {
  const exchanges: Exchange[] = [];
  const settings = {
    requestInit: { headers: { Authorization: `Bearer ${key}` } },
    async fetch(_: string | URL, init?: RequestInit): Promise<Response> {
      const request = new Request(mcp(), init);
      const response = await fetch(request.clone());
      exchanges.push({ request, response });
      return response;
    },
  };
  return { exchanges, url: mcp(), settings };
}

/** The names of the tools that the client sees, sorted. */
export async function toolNames({ client }: Connection): Promise<string[]> {
  const { tools } = await client.listTools();
  return tools.map(({ name }) => name).toSorted();
}

/** The structured result of a tool, which its text repeats. */
export async function call(
  { client }: Connection,
  name: string,
  args: Record<string, unknown> = {},
): Promise<unknown> {
  const { content, structuredContent, isError } = await client.callTool({ name, arguments: args });
  expect(isError ?? false, JSON.stringify(content)).toBe(false);
  expect(content).toEqual([{ type: "text", text: expect.any(String) }]);
  const [{ text }] = content as [{ text: string }];
  expect(JSON.parse(text)).toEqual(structuredContent);
  return structuredContent;
}

export interface Answer {
  status: number;
  headers: Headers;
  /** JSON, from a JSON response or the last event of a stream; undefined when there is none. */
  body: unknown;
}

export interface PlainRequest {
  mcp: URL;
  key: string;
  session?: string;
  /** POST when left out. */
  method?: "POST" | "DELETE";
  message?: object;
}

/** Sends one JSON-RPC message as a client of 2025-11-25 does. */
export async function send({ mcp, key, session, method = "POST", message }: PlainRequest): Promise<Answer> {
  const response = await fetch(mcp, {
    method,
    headers: {
      Authorization: `Bearer ${key}`,
      Accept: "application/json, text/event-stream",
      ...(message !== undefined && { "Content-Type": "application/json" }),
      ...(session !== undefined && { "Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25" }),
    },
    ...(message !== undefined && { body: JSON.stringify({ jsonrpc: "2.0", ...message }) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: bodyOf(response.headers, text) };
}

/** Sends until the answer is no 503, and waits as each of them asks for. Only the patience of the test ends it. */
export async function untilAvailable(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (answer.status !== 503) return answer;
    await sleep(Number(answer.headers.get("Retry-After")) * 1000);
  }
}

/** The last JSON-RPC message of a response, whether it is JSON or a stream; undefined when it is empty. */
export function bodyOf(headers: Headers, text: string) {
  const isStream = headers.get("Content-Type")?.startsWith("text/event-stream");
  const data = isStream
    ? text
        .match(/^data: (\{.*)$/gm)
        ?.at(-1)
        ?.slice("data: ".length)
    : text;
  return data ? JSON.parse(data) : undefined;
}

export const initializeMessage = {
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", clientInfo, capabilities },
};

export const toolMessage = (name: string, args: Record<string, unknown> = {}) => ({
  id: 1,
  method: "tools/call",
  params: { name, arguments: args },
});

/** Opens a session without a client and returns its id. */
export async function openSession(mcp: URL, key: string): Promise<string> {
  const { status, headers } = await send({ mcp, key, message: initializeMessage });
  expect(status).toBe(200);
  const session = headers.get("Mcp-Session-Id");
  if (session === null) throw new Error("initialize was answered without a session id");
  expect((await send({ mcp, key, session, message: { method: "notifications/initialized" } })).status).toBe(
    202,
  );
  return session;
}
