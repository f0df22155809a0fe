// A client in a session, for tests of the author's room: calls tools, and looks at the session's document.
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { createDatabase, keys } from "./worker.ts";

type Worker = Pick<Required<ExportedHandler<Env>>, "fetch">;

export interface TestClient {
  /** Calls a tool. @returns its structured content. @throws Error with the tool's text when it has failed. */
  call: (name: string, input?: object) => Promise<Record<string, unknown>>;
  /** Sends any request. @returns its result. @throws Error with the JSON-RPC error. */
  request: (method: string, params?: object) => Promise<Record<string, unknown>>;
  /** The session's document as it stands in the database; empty when nothing was kept. */
  state: () => Promise<Record<string, unknown>>;
}

const INITIALIZE = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "test", version: "1" },
};

/**
 * Opens a session on a database of its own.
 * @param variables the Worker's variables beside the required ones, such as those of the author's server.
 */
export async function openClient(
  worker: Worker,
  variables: Record<string, string> = {},
): Promise<TestClient> {
  const database = await createDatabase();
  const env = database.env(variables);
  let session: string | undefined;

  async function request(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const context = createExecutionContext();
    const response = await worker.fetch(
      new Request<unknown, IncomingRequestCfProperties>("https://worker.test/mcp", {
        method: "POST",
        headers: {
          Authorization: `Bearer ${keys.alice}`,
          Accept: "application/json, text/event-stream",
          "Content-Type": "application/json",
          ...(session !== undefined && { "Mcp-Session-Id": session }),
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
      }),
      env,
      context,
    );
    const text = await response.text();
    await waitOnExecutionContext(context);
    session ??= response.headers.get("Mcp-Session-Id") ?? undefined;
    const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream") ?? false;
    // A stream ends with the answer, and may have notifications before it.
    const message = JSON.parse(
      isStream
        ? (text
            .match(/^data: .+$/gm)
            ?.at(-1)
            ?.slice(6) ?? "{}")
        : text,
    );
    if (message.result === undefined) throw new Error(message.error?.message ?? `HTTP ${response.status}`);
    return message.result;
  }

  await request("initialize", INITIALIZE);
  return {
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

    async state() {
      const rows = await database.query("SELECT state FROM mcp_sessions");
      return (rows[0]?.["state"] ?? {}) as Record<string, unknown>;
    },
  };
}
