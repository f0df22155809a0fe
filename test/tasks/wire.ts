// Requests of a client of MCP 2026-07-28 as they are on the wire, to isolates that know nothing of each other.
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  type McpServer,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import type { ServerContext } from "../../src/mcp/context.ts";
import { messageTextsOf } from "../../src/session/protocol.ts";
import { TASKS_EXTENSION } from "../../src/tasks/task.ts";
import { type Isolates, isolates } from "../streams/isolates.ts";
import { keepSecret } from "../support/captured-logs.ts";
import { createDatabase, keys, type TestDatabase } from "../support/worker.ts";

const MODERN = "2026-07-28";

export const WITH_TASKS = { extensions: { [TASKS_EXTENSION]: {} }, elicitation: { form: {} } };

export interface SeenTask {
  resultType: string;
  taskId: string;
  status: string;
  statusMessage?: string;
  ttlMs: number;
  pollIntervalMs: number;
  createdAt: string;
  lastUpdatedAt: string;
  result?: { content: { text: string }[]; isError?: boolean };
  error?: { code: number; message: string };
  inputRequests?: Record<string, { method: string; params: { message: string } }>;
}

export interface Reply {
  status: number;
  // What a test looks for in it is its own.
  // oxlint-disable-next-line typescript/no-explicit-any
  result?: any;
  error?: { code: number; message: string; data?: unknown };
}

export interface By {
  key?: string;
  capabilities?: object;
  headers?: Record<string, string>;
}

/** Sends a request, and reads its response. */
export async function send(
  { fetch }: Pick<Isolates, "fetch">,
  method: string,
  params: Record<string, unknown> = {},
  { key = keys.alice, capabilities = WITH_TASKS, headers = {} }: By = {},
): Promise<Reply> {
  const name = params["taskId"] ?? params["name"];
  const response = await fetch("https://worker.test/mcp", {
    method: "POST",
    headers: {
      Authorization: `Bearer ${key}`,
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
      "MCP-Protocol-Version": MODERN,
      "Mcp-Method": method,
      ...(typeof name === "string" && { "Mcp-Name": encodeName(name) }),
      ...headers,
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 7,
      method,
      params: {
        ...params,
        _meta: {
          [PROTOCOL_VERSION_META_KEY]: MODERN,
          [CLIENT_INFO_META_KEY]: { name: "test client", version: "1.0.0" },
          [CLIENT_CAPABILITIES_META_KEY]: capabilities,
        },
      },
    }),
  });
  const text = (await messageTextsOf(response)).at(-1) ?? "";
  const reply = { status: response.status, ...JSON.parse(text) } as Reply;
  if (reply.result?.resultType === "task") keepSecret(reply.result.taskId);
  return reply;
}

// What a header cannot hold, as SEP-2243 has it.
function encodeName(name: string): string {
  if (/^[\x21-\x7e]+$/.test(name)) return name;
  const bytes = new TextEncoder().encode(name);
  return `=?base64?${btoa(String.fromCharCode(...bytes))}?=`;
}

export interface Tasks {
  database: TestDatabase;
  to: Isolates;
  send: (method: string, params?: Record<string, unknown>, by?: By) => Promise<Reply>;
  /** The task that a call has become. */
  call: (name: string, args?: Record<string, unknown>, by?: By) => Promise<SeenTask>;
  get: (taskId: string, by?: By) => Promise<SeenTask>;
  /** The task when nothing is going on any more. */
  settled: (taskId: string) => Promise<SeenTask>;
}

/** Two isolates over a database of their own. */
export async function tasksWith(
  register: (server: McpServer, context: ServerContext) => void,
  vars: Record<string, string> = {},
): Promise<Tasks> {
  const database = await createDatabase();
  const to = isolates(database.env({ MCP_TASKS: "true", ...vars }), register);
  const get: Tasks["get"] = async (taskId, by) => (await send(to, "tasks/get", { taskId }, by)).result;
  return {
    database,
    to,
    send: (...request) => send(to, ...request),
    call: async (name, args = {}, by) => (await send(to, "tools/call", { name, arguments: args }, by)).result,
    get,
    async settled(taskId) {
      await to.settled();
      return get(taskId);
    },
  };
}

/** Something that a tool waits for. */
export function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

export const says = (text: string) => ({ content: [{ type: "text" as const, text }] });
