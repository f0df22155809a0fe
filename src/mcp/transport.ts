// Serves one request of an MCP session on any isolate. It first replays the stored `initialize` to a fresh server, which then
// knows the client as if it had served it before. Uses only public members of the SDK.
import {
  isJSONRPCRequest,
  type JSONRPCMessage,
  type RequestId,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import type { Session } from "../session/session.ts";

/**
 * The same request for the SDK's transport, which insists on both types in Accept. The session gate has read the header, and
 * the transport answers in the form that it has chosen. The body has been read, too.
 */
export function acceptingBoth({ url, method, headers, signal }: Request): Request {
  const accepting = new Headers(headers);
  accepting.set("Accept", "application/json, text/event-stream");
  return new Request(url, { method, headers: accepting, signal });
}

/** A tool has sent its client a request. The answer would arrive on another isolate. */
export class NoServerRequests extends Error {
  override name = "NoServerRequests";

  constructor() {
    super("This server cannot ask its client (elicitation, sampling, roots) before MCP 2026-07-28");
  }
}

export class SessionTransport extends WebStandardStreamableHTTPServerTransport {
  readonly #replays = new Map<RequestId, () => void>();

  /** Replays `initialize` and the log level of the session to the connected server. */
  async restore({ protocolVersion, clientInfo, capabilities, logLevel }: Session): Promise<void> {
    await this.#replay("initialize", { protocolVersion, clientInfo, capabilities });
    this.onmessage?.({ jsonrpc: "2.0", method: "notifications/initialized" });
    if (logLevel !== null) await this.#replay("logging/setLevel", { level: logLevel });
  }

  #replay(method: string, params: Record<string, unknown>): Promise<void> {
    // An id that no client chooses.
    const id = crypto.randomUUID();
    return new Promise((resolve) => {
      this.#replays.set(id, resolve);
      this.onmessage?.({ jsonrpc: "2.0", id, method, params });
    });
  }

  override async send(message: JSONRPCMessage, options?: { relatedRequestId?: RequestId }): Promise<void> {
    if (isJSONRPCRequest(message)) throw new NoServerRequests();
    const replayed = "id" in message && message.id !== undefined ? this.#replays.get(message.id) : undefined;
    if (replayed !== undefined) return replayed();
    return super.send(message, options);
  }
}
