// Serves one request of an MCP session on any isolate. It first replays the stored `initialize` to a fresh server, which then
// knows the client as if it had served it before. Uses only public members of the SDK.
import {
  type JSONRPCMessage,
  type JSONRPCRequest,
  type RequestId,
  WebStandardStreamableHTTPServerTransport,
  type WebStandardStreamableHTTPServerTransportOptions,
} from "@modelcontextprotocol/server";
import type { Session } from "../session/session.ts";

/**
 * The same request for the SDK's transport, which insists on both types in Accept. The session gate has read the header, and
 * the transport answers in the form that it has chosen. The body has been read, too.
 * @param signal that of the request, unless the work outlives it.
 */
export function acceptingBoth({ url, method, headers, signal: own }: Request, signal = own): Request {
  const accepting = new Headers(headers);
  accepting.set("Accept", "application/json, text/event-stream");
  return new Request(url, { method, headers: accepting, signal });
}

/** A tool has sent its client a request, and waits. The answer would arrive on another isolate. */
export class NoServerRequests extends Error {
  override name = "NoServerRequests";

  constructor(canSuspend: boolean) {
    super(
      canSuspend
        ? "A tool cannot wait for its client here, because the answer may reach another isolate: return inputRequired(…) instead"
        : "This server cannot ask its client (elicitation, sampling, roots) before MCP 2026-07-28",
    );
  }
}

export interface TransportOptions extends WebStandardStreamableHTTPServerTransportOptions {
  /** Whether calls that need input are suspended. Left out: they are refused. */
  canSuspend?: boolean;
  /** Called before the stream of a request is closed without its response. */
  onClosed?: () => void;
}

export class SessionTransport extends WebStandardStreamableHTTPServerTransport {
  readonly #replays = new Map<RequestId, () => void>();
  readonly #suspended = new Set<RequestId>();
  readonly #canSuspend: boolean;
  readonly #onClosed: (() => void) | undefined;

  constructor({ canSuspend = false, onClosed, ...options }: TransportOptions = {}) {
    super(options);
    this.#canSuspend = canSuspend;
    this.#onClosed = onClosed;
  }

  override closeSSEStream(request: RequestId): void {
    this.#onClosed?.();
    super.closeSSEStream(request);
  }

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

  /** Ends a request without a response: sends questions, and closes the stream. Its client comes back for the rest. */
  async suspend(request: RequestId, questions: readonly JSONRPCRequest[]): Promise<void> {
    this.#suspended.add(request);
    for (const question of questions) await super.send(question, { relatedRequestId: request });
    this.closeSSEStream(request);
  }

  override async send(message: JSONRPCMessage, options?: { relatedRequestId?: RequestId }): Promise<void> {
    if ("method" in message && "id" in message) throw new NoServerRequests(this.#canSuspend);
    if ("id" in message && message.id !== undefined) {
      if (this.#suspended.has(message.id)) return;
      const replayed = this.#replays.get(message.id);
      if (replayed !== undefined) return replayed();
    }
    return super.send(message, options);
  }
}
