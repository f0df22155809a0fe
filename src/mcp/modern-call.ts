// Serves a stored call as one of MCP 2026-07-28, to a server made for it.
import { type AuthInfo, createMcpHandler, type McpServer } from "@modelcontextprotocol/server";

export const MODERN = "2026-07-28";

export interface ModernCall {
  id: string | number;
  method: string;
  /** With the client's side of the protocol in `_meta`. */
  params: Record<string, unknown>;
  /** What else the client's request had in its headers. */
  headers?: Record<string, string>;
}

export interface Serving {
  create: () => Promise<McpServer>;
  url: string;
  /** Aborted when the call is no longer wanted. */
  signal: AbortSignal;
  authInfo: AuthInfo;
}

/** @returns the answer as a stream, or a refusal. */
export function serveModern(
  { id, method, params, headers = {} }: ModernCall,
  { create, url, signal, authInfo }: Serving,
): Promise<Response> {
  const name: unknown = params["name"] ?? params["uri"];
  const request = new Request(url, {
    method: "POST",
    signal,
    headers: {
      ...headers,
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
      "MCP-Protocol-Version": MODERN,
      "Mcp-Method": method,
      ...(typeof name === "string" && { "Mcp-Name": name }),
    },
  });
  return createMcpHandler(create, { legacy: "reject", responseMode: "sse" }).fetch(request, {
    parsedBody: { jsonrpc: "2.0", id, method, params },
    authInfo,
  });
}
