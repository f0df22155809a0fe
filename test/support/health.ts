// What health, scrapes and clients are told of a database.
import { initializeParams, mcp } from "./mcp.ts";
import { bearer, keys, send, type TestDatabase } from "./worker.ts";

export interface HealthAnswer {
  status: string;
  database: string;
  reason?: string;
  reasons?: string[];
  failed_step?: Record<string, unknown>;
}

export async function health({ env }: TestDatabase, path = "/session-health") {
  const response = await send(env(), path, bearer(keys.health));
  return { status: response.status, body: await response.json<HealthAnswer>() };
}

/** The value of mcp_session_store_up. */
export async function storeUp(env: Env): Promise<string | undefined> {
  const text = await (await send(env, "/metrics", bearer(keys.metrics))).text();
  return /^mcp_session_store_up (\d)$/m.exec(text)?.[1];
}

/** Whether a client can open a session and use it. */
export async function canOpen({ env }: TestDatabase): Promise<boolean> {
  const opened = await mcp(env(), { method: "initialize", params: initializeParams });
  const session = opened.headers.get("Mcp-Session-Id") ?? undefined;
  if (session === undefined) return false;
  return (await mcp(env(), { method: "tools/list" }, { session })).ok;
}

/** Runs the statements one after the other. */
export const run =
  (...statements: string[]) =>
  async (database: TestDatabase) => {
    for (const statement of statements) await database.query(statement);
  };
