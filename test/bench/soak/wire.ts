// Requests as a client of MCP 2025-11-25 sends them, and what came back.
import { bodyOf } from "../../e2e/connections.ts";

export interface WireRequest {
  url: string;
  key: string;
  /** POST when left out. */
  method?: "POST" | "DELETE" | "GET";
  session?: string;
  message?: object;
  /** The last event that was read, for GET. */
  lastEventId?: string;
  /** Given up after this time. */
  patienceMs: number;
}

export interface WireAnswer {
  /** 0: there was none. */
  status: number;
  headers: Headers;
  text: string;
  /** JSON, from a JSON response or the last event of a stream; undefined when there is none. */
  body: unknown;
  startedAt: number;
  endedAt: number;
}

let lastId = 0;

/** Sends one request. Never throws: no answer, or one that broke off, has the status 0. */
export async function exchange(request: WireRequest): Promise<WireAnswer> {
  const { url, key, method = "POST", session, message, lastEventId, patienceMs } = request;
  const startedAt = performance.now();
  try {
    const response = await fetch(url, {
      method,
      signal: AbortSignal.timeout(patienceMs),
      headers: {
        Authorization: `Bearer ${key}`,
        Accept: "application/json, text/event-stream",
        ...(message !== undefined && { "Content-Type": "application/json" }),
        ...(lastEventId !== undefined && { "Last-Event-ID": lastEventId }),
        ...(session !== undefined && { "Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25" }),
      },
      ...(message !== undefined && { body: JSON.stringify({ jsonrpc: "2.0", id: ++lastId, ...message }) }),
    });
    const text = await response.text();
    const { status, headers } = response;
    return { status, headers, text, body: bodyOf(headers, text), startedAt, endedAt: performance.now() };
  } catch {
    const nothing = { status: 0, headers: new Headers(), text: "", body: undefined };
    return { ...nothing, startedAt, endedAt: performance.now() };
  }
}

export const initializeMessage = (name: string) => ({
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    clientInfo: { name, version: "1" },
    capabilities: { elicitation: {} },
  },
});

export const toolMessage = (name: string, args: object = {}) => ({
  method: "tools/call",
  params: { name, arguments: args },
});

/** What a tool answered; `error` is the text of one that failed. */
export function toolResult({ body }: WireAnswer): {
  error: string | undefined;
  content: Record<string, unknown>;
} {
  const { isError, content, structuredContent } = Object(Object(body).result);
  const text: unknown = content?.[0]?.text;
  const error = isError === true || structuredContent === undefined ? String(text) : undefined;
  return { error, content: Object(structuredContent) };
}
