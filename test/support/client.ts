// A client for tests of the author's room: calls tools, and looks at the session's document.
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { keyOfSession } from "../../src/session/session.ts";
import { createDatabase, keys } from "./worker.ts";

type Worker = Pick<Required<ExportedHandler<Env>>, "fetch">;

/** A client of 2026-07-28, which has no session. */
export interface StatelessClient {
  /** Calls a tool. @returns its structured content. @throws Error with the tool's text when it has failed. */
  call: (name: string, input?: object) => Promise<Record<string, unknown>>;
  /** Sends any request. @returns its result. @throws Error with the JSON-RPC error. */
  request: (method: string, params?: object) => Promise<Record<string, unknown>>;
}

/** A client that keeps what it needs in handles. */
export interface HandleClient extends StatelessClient {
  /** The handles as they stand in the database, but for their values. */
  handles: () => Promise<Record<string, unknown>[]>;
}

/** A client in a session. */
export interface TestClient extends StatelessClient {
  /** The session's document as it stands in the database; empty when nothing was kept. */
  state: () => Promise<Record<string, unknown>>;
  /** Another session with the same key. */
  openAnother: () => Promise<TestClient>;
}

const clientInfo = { name: "test", version: "1" };
const INITIALIZE = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
const STATELESS = "2026-07-28";

/**
 * Opens a session on a database of its own.
 * @param variables the Worker's variables beside the required ones, such as those of the author's server.
 * @param secret a key or a token of the scope `mcp`.
 */
export async function openClient(
  worker: Worker,
  variables: Record<string, string> = {},
  secret: string = keys.alice,
): Promise<TestClient> {
  const database = await createDatabase();
  const env = database.env(variables);
  const open = async (): Promise<TestClient> => {
    let session: string | undefined;
    const request = async (method: string, params: object = {}) => {
      const headers = {
        Authorization: `Bearer ${secret}`,
        ...(session !== undefined && { "Mcp-Session-Id": session }),
      };
      const response = await post(worker, env, { method, params }, headers);
      session ??= response.headers.get("Mcp-Session-Id") ?? undefined;
      return resultOf(response);
    };
    await request("initialize", INITIALIZE);
    return {
      ...callerOf(request),
      async state() {
        const key = await keyOfSession(session ?? "");
        const rows = await database.query("SELECT state FROM mcp_sessions WHERE session_id = $1", [key]);
        return (rows[0]?.["state"] ?? {}) as Record<string, unknown>;
      },
      openAnother: open,
    };
  };
  return open();
}

/** A client without a session, on a database of its own. @param variables as with `openClient`. */
export async function statelessClient(
  worker: Worker,
  variables: Record<string, string> = {},
): Promise<HandleClient> {
  const database = await createDatabase();
  const env = database.env(variables);
  const handles = () =>
    database.query("SELECT owner, kind, version, sliding_seconds FROM mcp_handles ORDER BY created_at");
  const caller = callerOf(async (method, params = {}) => {
    const { name } = params as { name?: unknown };
    const meta = {
      [PROTOCOL_VERSION_META_KEY]: STATELESS,
      [CLIENT_INFO_META_KEY]: clientInfo,
      [CLIENT_CAPABILITIES_META_KEY]: {},
    };
    const headers = {
      "MCP-Protocol-Version": STATELESS,
      "Mcp-Method": method,
      ...(typeof name === "string" && { "Mcp-Name": name }),
    };
    return resultOf(await post(worker, env, { method, params: { ...params, _meta: meta } }, headers));
  });
  return { ...caller, handles };
}

async function post(worker: Worker, env: Env, message: object, headers: Record<string, string>) {
  const context = createExecutionContext();
  const response = await worker.fetch(
    new Request<unknown, IncomingRequestCfProperties>("https://worker.test/mcp", {
      method: "POST",
      headers: {
        Authorization: `Bearer ${keys.alice}`,
        Accept: "application/json, text/event-stream",
        "Content-Type": "application/json",
        ...headers,
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...message }),
    }),
    env,
    context,
  );
  // A stream ends with the answer.
  const body = await response.text();
  await waitOnExecutionContext(context);
  return new Response(body, response);
}

async function resultOf(response: Response): Promise<Record<string, unknown>> {
  const text = await response.text();
  const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream") ?? false;
  // A stream may have notifications before the answer.
  const last = text.match(/^data: .+$/gm)?.at(-1);
  const message = JSON.parse(isStream ? (last?.slice(6) ?? "{}") : text);
  if (message.result === undefined) throw new Error(message.error?.message ?? `HTTP ${response.status}`);
  return message.result;
}

const callerOf = (request: StatelessClient["request"]): StatelessClient => ({
  request,
  async call(name, input = {}) {
    const answer = await request("tools/call", { name, arguments: input });
    const { isError, content, structuredContent } = answer as {
      isError?: boolean;
      content: { text?: string }[];
      structuredContent?: Record<string, unknown>;
    };
    if (isError) throw new Error(content[0]?.text ?? `${name} failed`);
    return structuredContent ?? {};
  },
});
