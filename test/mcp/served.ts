// Requests of MCP 2026-07-28 to a server that a test makes, and the stores of tasks that it needs, without a Worker around it.
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  InMemoryTransport,
  type JSONRPCMessage,
  type McpServer,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import { MODERN, serveModern } from "../../src/mcp/modern-call.ts";
import type { TaskRequest } from "../../src/mcp/task-calls.ts";
import { messageTextsOf } from "../../src/session/protocol.ts";
import type { TaskStore } from "../../src/tasks/store.ts";
import { TASKS_EXTENSION } from "../../src/tasks/task.ts";

export const says = (text: string) => ({ content: [{ type: "text" as const, text }] });

export const WITH_TASKS = { extensions: { [TASKS_EXTENSION]: {} }, elicitation: { form: {} } };

/** What such a client says of itself in each request. */
export const metaOf = (capabilities: object = WITH_TASKS) => ({
  [PROTOCOL_VERSION_META_KEY]: MODERN,
  [CLIENT_INFO_META_KEY]: { name: "a client", version: "1" },
  [CLIENT_CAPABILITIES_META_KEY]: capabilities,
});

export interface Answer {
  id: unknown;
  // What a test looks for in it is its own.
  // oxlint-disable-next-line typescript/no-explicit-any
  result?: any;
  error?: { code: number; message: string; data?: unknown };
}

/** The answer to a request, without what the server says of itself in each. */
export async function served(
  create: () => Promise<McpServer>,
  method: string,
  params: Record<string, unknown> = {},
  capabilities: object = WITH_TASKS,
): Promise<Answer> {
  const { taskId } = params;
  const response = await serveModern(
    {
      id: 7,
      method,
      params: { ...params, _meta: metaOf(capabilities) },
      ...(typeof taskId === "string" && { headers: { "Mcp-Name": taskId } }),
    },
    {
      create,
      url: "https://worker.test/mcp",
      signal: new AbortController().signal,
      authInfo: { token: "", clientId: "alice", scopes: [] },
    },
  );
  const { id, result, error }: Answer = JSON.parse((await messageTextsOf(response)).at(-1) ?? "{}");
  if (result === undefined) return { id, ...(error !== undefined && { error }) };
  const { _meta: _, ...rest } = result;
  return { id, result: rest };
}

/** A client of a server in the same program. It sends requests of any form, and gets the messages that answer them. */
export async function clientOf(server: McpServer) {
  const [near, far] = InMemoryTransport.createLinkedPair();
  const waiting = new Map<unknown, (message: JSONRPCMessage) => void>();
  Object.assign(far, { onmessage: (message: JSONRPCMessage) => waiting.get(Object(message).id)?.(message) });
  await server.connect(near);
  await far.start();
  return (id: string, method: string, params?: Record<string, unknown>) =>
    new Promise<JSONRPCMessage>((resolve) => {
      waiting.set(id, resolve);
      void far.send({ jsonrpc: "2.0", id, method, ...(params !== undefined && { params }) });
    });
}

/** The parameters of an `initialize`. */
export const initializing = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "a client", version: "1" },
};

const unasked = () => Promise.reject(new Error("The store is not asked this"));

/** A store that answers what the test says, and is asked for nothing else. */
export const taskStoreOf = (own: Partial<TaskStore>): TaskStore => ({
  create: unasked,
  get: unasked,
  answer: unasked,
  cancel: unasked,
  take: unasked,
  renew: unasked,
  finish: unasked,
  ask: unasked,
  ...own,
});

/** A request of alice's client that calls the tool `do`, and what was started in it. */
export function taskRequestOf(own: Partial<TaskStore>, more: Partial<TaskRequest> = {}) {
  const started: unknown[] = [];
  const failures: unknown[] = [];
  const here: TaskRequest["here"] = { waitUntil: () => undefined, run: async () => "done" };
  const request: TaskRequest = {
    config: {
      ttlSeconds: 3600,
      pollMs: 1000,
      maxPerPrincipal: 10,
      bindings: { queue: undefined, workflow: undefined },
    },
    store: taskStoreOf(own),
    due: { due: unasked },
    runner: { atOnce: 5, start: async (...task) => void started.push(task) },
    owner: "alice",
    call: {
      caller: { kind: "key", name: "alice", scopes: ["mcp"] },
      url: "https://worker.test/mcp",
      headers: {},
      params: { name: "do", arguments: {}, _meta: {} },
    },
    here,
    onFailure: (cause) => void failures.push(cause),
    ...more,
  };
  return { request, here, started, failures };
}
