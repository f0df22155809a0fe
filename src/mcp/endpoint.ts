// The MCP server behind the session gate. Clients up to 2025-11-25 are served in their session, by a fresh server a
// request; clients of 2026-07-28 a request at a time, without a session.
import {
  createMcpHandler,
  isLegacyRequest as isLegacyForSdk,
  McpServer,
  SUPPORTED_PROTOCOL_VERSIONS,
} from "@modelcontextprotocol/server";
import type { Context } from "hono";
import * as z from "zod";
import { describe } from "../openapi.ts";
import type { RequestVariables } from "../request-log.ts";
import type { SessionVariables } from "../session/middleware.ts";
import { messagesOf, SESSION_HEADER } from "../session/protocol.ts";
import type { StateStore } from "../session/state-store.ts";
import type { SessionStore } from "../session/store.ts";
import { registerTools, serverInfo, type ToolContext } from "./tools.ts";
import { SessionTransport } from "./transport.ts";

type McpContext = Context<{ Variables: SessionVariables & RequestVariables }>;

const jsonRpcMessage = z.looseObject({ jsonrpc: z.literal("2.0") });
const jsonRpcRefusal = z.strictObject({
  jsonrpc: z.literal("2.0"),
  error: z.strictObject({ code: z.int(), message: z.string() }),
  id: z.null(),
});
const sessionHeader = z.object({
  [SESSION_HEADER]: z.string().optional().describe("The session; not with `initialize`"),
});

export const mcpPostRoute = describe({
  summary: "The MCP endpoint: one JSON-RPC message, or a batch of them up to 2025-03-26",
  description: "Streamable HTTP, as the Model Context Protocol has it.",
  scope: "mcp",
  headers: sessionHeader,
  body: z.union([jsonRpcMessage, z.array(jsonRpcMessage)]),
  answers: {
    200: {
      description: "The answer, as JSON or as a stream",
      schema: z.union([jsonRpcMessage, z.array(jsonRpcMessage)]),
      contentTypes: ["application/json", "text/event-stream"],
    },
    202: { description: "There was nothing to answer" },
    400: { description: "What was sent is no request of the protocol", schema: jsonRpcMessage },
  },
  refusals: [
    "origin_not_allowed",
    "not_acceptable",
    "unsupported_media_type",
    "parse_error",
    "invalid_request",
    "session_id_required",
    "session_not_found",
    "already_initialized",
    "unsupported_protocol_version",
    "too_many_sessions",
    "sessions_unavailable",
  ],
  refusal: jsonRpcRefusal,
});

export const mcpDeleteRoute = describe({
  summary: "Ends the session",
  scope: "mcp",
  headers: sessionHeader.required(),
  answers: { 204: { description: "It is ended" } },
  refusals: ["origin_not_allowed", "session_id_required", "session_not_found", "sessions_unavailable"],
  refusal: jsonRpcRefusal,
});

export interface McpEndpointOptions {
  sessions: SessionStore;
  state: StateStore;
  /** The same as the session middleware's. */
  principal: (c: Context) => string;
}

/** The revisions with sessions, newest first. */
export const legacyVersions: readonly string[] = SUPPORTED_PROTOCOL_VERSIONS;

/** Whether a request is of a revision with sessions. The body has been read and parsed before. */
export const isLegacyRequest = (request: Request, body: unknown): Promise<boolean> =>
  isLegacyForSdk(request, body);

// RFC 5424, as logging/setLevel takes them.
const logLevels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

export function mcpEndpoint({ sessions, state, principal }: McpEndpointOptions) {
  const serverFor = (context: Pick<ToolContext, "session" | "principal">): McpServer => {
    const server = new McpServer(serverInfo, { capabilities: { logging: {} } });
    registerTools(server, { ...context, sessions, state });
    return server;
  };
  const modern = createMcpHandler(
    ({ authInfo }) => serverFor({ session: undefined, principal: authInfo?.clientId ?? "" }),
    { legacy: "reject" },
  );

  return async function mcp(c: McpContext): Promise<Response> {
    const body = c.get("mcpBody");
    const owner = principal(c);
    if (!c.get("isLegacy")) {
      // The key stays here: handlers know their caller by name.
      const authInfo = { token: "", clientId: owner, scopes: [] };
      return modern.fetch(c.req.raw, { parsedBody: body, authInfo });
    }
    const session = c.get("session");
    // Without a session this is `initialize`, whose answer is read again before it goes out.
    const transport = new SessionTransport({ enableJsonResponse: session === undefined });
    await serverFor({ session, principal: owner }).connect(transport);
    if (session !== undefined) {
      const id = c.req.header(SESSION_HEADER);
      if (id !== undefined) transport.sessionId = id;
      const level = requestedLogLevel(body);
      if (level !== undefined) await sessions.setLogLevel(session, level);
      await transport.restore(session);
    }
    return transport.handleRequest(c.req.raw, { parsedBody: body });
  };
}

function requestedLogLevel(body: unknown): string | undefined {
  const request = messagesOf(body).find(({ method }) => method === "logging/setLevel");
  const level: unknown = Object(request?.params).level;
  return logLevels.find((known) => known === level);
}
