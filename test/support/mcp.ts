// Requests of an MCP client, as they are on the wire.
import { inject } from "vitest";
import { connect } from "../../src/db/client.ts";
import { createSessionStore, type SessionSettings } from "../../src/session/store.ts";
import { keepSecret } from "./captured-logs.ts";
import { keys, send, type TestDatabase } from "./worker.ts";

export interface McpOptions {
  session?: string | undefined;
  key?: string;
  /** Added to the usual ones; undefined leaves one out. */
  headers?: Record<string, string | undefined>;
  method?: string;
  signal?: AbortSignal;
}

export const clientInfo = { name: "test client", version: "1.2.3" };
export const capabilities = { roots: { listChanged: true }, sampling: {} };
export const VERSION = "2025-11-25";

const SESSION_HEADER = "Mcp-Session-Id";

/** Sends one JSON-RPC message; or text, or a stream, as it is. */
export function mcp(
  env: Env,
  message: object | string | ReadableStream,
  options: McpOptions = {},
): Promise<Response> {
  const { session, key = keys.alice, headers, method = "POST", signal } = options;
  const all: Record<string, string | undefined> = {
    Authorization: `Bearer ${key}`,
    Accept: "application/json, text/event-stream",
    "Content-Type": "application/json",
    [SESSION_HEADER]: session,
    ...headers,
  };
  const sent = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const envelope = Array.isArray(message) ? message : { jsonrpc: "2.0", id: 1, ...Object(message) };
  const isBody = typeof message === "string" || message instanceof ReadableStream;
  const body = isBody ? message : JSON.stringify(envelope);
  return send(env, "/mcp", {
    method,
    headers: sent,
    ...(method === "POST" && { body }),
    ...(signal !== undefined && { signal }),
  });
}

export const initializeParams = { protocolVersion: VERSION, clientInfo, capabilities };

/** Opens a session as alice, or with another key. */
export async function open(env: Env, options: McpOptions = {}): Promise<string> {
  const response = await mcp(env, { method: "initialize", params: initializeParams }, options);
  const id = response.headers.get(SESSION_HEADER);
  if (id === null)
    throw new Error(`initialize was answered with ${response.status}: ${await response.text()}`);
  return keepSecret(id);
}

/** Ends a session as its client does. */
export const end = (env: Env, session: string, options: McpOptions = {}) =>
  mcp(env, "", { ...options, session, method: "DELETE" });

/** The one JSON-RPC message of a response, whether it is JSON or a stream. */
export async function messageOf(
  response: Response,
): Promise<{ id: unknown; result?: Record<string, unknown>; error?: unknown }> {
  const text = await response.text();
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) return JSON.parse(text);
  return JSON.parse(/^data: (.+)$/m.exec(text)?.[1] ?? "null");
}

export interface ToolAnswer {
  structuredContent?: Record<string, unknown>;
  content: { type: string; text: string }[];
  isError?: boolean;
}

/** Calls a tool in a session and hands back what it answered. */
export async function callTool(
  env: Env,
  session: string,
  name: string,
  input: object = {},
  options: McpOptions = {},
) {
  const response = await mcp(
    env,
    { method: "tools/call", params: { name, arguments: input } },
    { session, ...options },
  );
  const { result, error } = await messageOf(response);
  if (result === undefined) throw new Error(`${name} was answered with ${JSON.stringify(error)}`);
  return result as unknown as ToolAnswer;
}

/** The session store by itself. */
export function sessionsOf({ url }: TestDatabase, settings: Partial<SessionSettings> = {}) {
  return createSessionStore(connect({ url, endpointOverride: inject("neonEndpoint") }), {
    ttlSeconds: 3600,
    initTtlSeconds: 300,
    maxLifetimeSeconds: null,
    touchIntervalSeconds: 60,
    timeoutMs: 10_000,
    maxPerPrincipal: 1000,
    ...settings,
  });
}

/** The rows of sessions that were opened here, the oldest first. */
export const rowsOf = ({ query }: TestDatabase) =>
  query("SELECT * FROM mcp_sessions WHERE principal IS NOT NULL ORDER BY created_at");

/** From now on counts how often a session's row is written; the answer tells how often so far. */
export async function countWrites({ query }: TestDatabase): Promise<() => Promise<number>> {
  await query("CREATE TABLE writes (at timestamptz DEFAULT now())");
  await query(
    "CREATE FUNCTION record_write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO writes DEFAULT VALUES; RETURN NULL; END'",
  );
  await query(
    "CREATE TRIGGER record AFTER UPDATE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION record_write()",
  );
  return async () => Number((await query("SELECT count(*) FROM writes"))[0]?.["count"]);
}
