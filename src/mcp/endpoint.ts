// The MCP endpoint behind the session gate. Every request gets a fresh server of the author's definition: for clients up to
// 2025-11-25 in their session, for clients of 2026-07-28 without one.
import {
  createMcpHandler,
  isLegacyRequest as isLegacyForSdk,
  SUPPORTED_PROTOCOL_VERSIONS,
} from "@modelcontextprotocol/server";
import type { Context } from "hono";
import * as z from "zod";
import { storeRefusals } from "../http/errors.ts";
import { documentedRoute } from "../http/openapi.ts";
import type { RequestVariables } from "../http/request-log.ts";
import type { SessionVariables } from "../session/middleware.ts";
import { createOwnSessions } from "../session/own-sessions.ts";
import { messagesOf, SESSION_HEADER } from "../session/protocol.ts";
import type { Session } from "../session/session.ts";
import { createSessionState } from "../session/state.ts";
import type { StateStore } from "../session/state-store.ts";
import type { SessionStore } from "../session/store.ts";
import type { RequestContext, ServerFactory } from "./server-factory.ts";
import { SessionTransport } from "./transport.ts";

type McpContext = Context<{ Variables: SessionVariables & RequestVariables }>;

const jsonRpcMessage = z.looseObject({ jsonrpc: z.literal("2.0") });
const jsonRpcRefusal = z.strictObject({
  jsonrpc: z.literal("2.0"),
  error: z.strictObject({ code: z.int(), message: z.string() }),
  id: z.null(),
});
const sessionHeader = z.object({
  [SESSION_HEADER]: z.string().optional().describe("The id of the session; not with `initialize`"),
});

export const mcpPostRoute = documentedRoute({
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
    202: { description: "Accepted: notifications and responses have no answer" },
    400: { description: "The body is not a request of the protocol", schema: jsonRpcMessage },
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
    ...storeRefusals,
  ],
  refusal: jsonRpcRefusal,
});

export const mcpDeleteRoute = documentedRoute({
  summary: "Ends the session",
  scope: "mcp",
  headers: sessionHeader.required(),
  answers: { 204: { description: "The session is ended" } },
  refusals: ["origin_not_allowed", "session_id_required", "session_not_found", ...storeRefusals],
  refusal: jsonRpcRefusal,
});

export interface McpEndpointOptions {
  createServer: ServerFactory;
  sessions: SessionStore;
  state: StateStore;
  /** The same as the session middleware's. */
  principal: (c: Context) => string;
}

/** The revisions with sessions, newest first. */
export const legacyVersions: readonly string[] = SUPPORTED_PROTOCOL_VERSIONS;

/** Whether a request belongs to a revision with sessions. Gets the parsed body. */
export const isLegacyRequest = (request: Request, body: unknown): Promise<boolean> =>
  isLegacyForSdk(request, body);

// RFC 5424, as logging/setLevel takes them.
const logLevels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

export function mcpEndpoint({ createServer, sessions, state, principal }: McpEndpointOptions) {
  const contextOf = (c: McpContext, session: Session | undefined): RequestContext => {
    const owner = principal(c);
    return {
      session,
      principal: owner,
      sessions: createOwnSessions(sessions, owner, session),
      state: session === undefined ? undefined : createSessionState(state, session),
      waitUntil: (promise) => c.executionCtx.waitUntil(promise),
      signal: c.req.raw.signal,
    };
  };

  return async function mcp(c: McpContext): Promise<Response> {
    const parsedBody = c.get("mcpBody");
    if (!c.get("isLegacy")) {
      // Handlers get the name of the principal, never the key.
      const authInfo = { token: "", clientId: principal(c), scopes: [] };
      // The SDK answers by itself when the factory throws. It is thrown again, so that it is logged like any other mistake.
      let failure: { cause: unknown } | undefined;
      const create = () =>
        createServer(contextOf(c, undefined)).catch((cause: unknown) => {
          failure = { cause };
          throw cause;
        });
      const response = await createMcpHandler(create, { legacy: "reject" }).fetch(c.req.raw, {
        parsedBody,
        authInfo,
      });
      if (failure !== undefined) throw failure.cause;
      return response;
    }
    const session = c.get("session");
    // Without a session this is `initialize`: the session gate reads the answer before it goes out.
    const transport = new SessionTransport({ enableJsonResponse: session === undefined });
    const server = await createServer(contextOf(c, session));
    await server.connect(transport);
    if (session !== undefined) {
      const id = c.req.header(SESSION_HEADER);
      if (id !== undefined) transport.sessionId = id;
      const level = requestedLogLevel(parsedBody);
      if (level !== undefined) await sessions.setLogLevel(session, level);
      await transport.restore(session);
    }
    return transport.handleRequest(c.req.raw, { parsedBody });
  };
}

function requestedLogLevel(body: unknown): string | undefined {
  const request = messagesOf(body).find(({ method }) => method === "logging/setLevel");
  const level: unknown = Object(request?.params).level;
  return logLevels.find((known) => known === level);
}
