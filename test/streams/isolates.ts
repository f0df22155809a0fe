// A client of the official SDK before isolates that know nothing of each other: each request reaches the next one.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import type { McpServer } from "@modelcontextprotocol/server";
import { defineServer, type ServerContext } from "../../src/mcp/context.ts";
import { createWorker } from "../../src/worker.ts";
import { keys } from "../support/worker.ts";

/** What has been sent, and how each request was answered. */
export interface Exchange {
  method: string;
  lastEventId: string | null;
  status: number;
}

export interface Isolates {
  exchanges: Exchange[];
  fetch: (url: string | URL, init?: RequestInit) => Promise<Response>;
  /** Resolves when nothing is going on after its request any more. */
  settled: () => Promise<void>;
}

interface Fetching {
  fetch: (request: Request, env: Env, context: ExecutionContext) => Response | Promise<Response>;
}

/** @param env with MCP_STREAMS. */
export function isolates(
  env: Env,
  register: (server: McpServer, context: ServerContext) => void,
  count = 2,
): Isolates {
  return isolatesOf(
    () => createWorker(defineServer({ name: "asking", version: "1.0.0", register })),
    env,
    count,
  );
}

/** Isolates of any Worker. */
export function isolatesOf(make: () => Fetching, env: Env, count = 2): Isolates {
  const workers = Array.from({ length: count }, () => ({ worker: make(), env: { ...env } }));
  const exchanges: Exchange[] = [];
  const contexts: ExecutionContext[] = [];
  let turn = 0;
  return {
    exchanges,
    async fetch(url, init) {
      const { worker, env: own } = workers[turn++ % count] ?? fail();
      const context = createExecutionContext();
      contexts.push(context);
      const request = new Request(url, init);
      const response = await worker.fetch(request, own, context);
      exchanges.push({
        method: request.method,
        lastEventId: request.headers.get("Last-Event-ID"),
        status: response.status,
      });
      return response;
    },
    async settled() {
      for (const context of contexts) await waitOnExecutionContext(context);
    },
  };
}

/** Connects a client in the era of sessions. */
export async function connectTo(
  { fetch }: Isolates,
  { capabilities = {}, key = keys.alice }: { capabilities?: object; key?: string } = {},
): Promise<{ client: Client; transport: StreamableHTTPClientTransport }> {
  const client = new Client(
    { name: "test client", version: "1.0.0" },
    { capabilities, versionNegotiation: { mode: "legacy" } },
  );
  const transport = new StreamableHTTPClientTransport(new URL("https://worker.test/mcp"), {
    fetch,
    requestInit: { headers: { Authorization: `Bearer ${key}` } },
  });
  return { client, transport };
}

function fail(): never {
  throw new Error("There is no Worker");
}
