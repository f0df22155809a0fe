// The MCP endpoint behind the session gate. Every request gets a fresh server of the author's definition: for clients up to
// 2025-11-25 in their session, for clients of 2026-07-28 without one.
import { createMcpHandler } from "@modelcontextprotocol/server";
import type { Context } from "hono";
import * as z from "zod";
import type { Principal } from "../auth/principal.ts";
import type { TokenConfig } from "../auth/token-settings.ts";
import { BATCH_MESSAGES } from "../http/json-bounds.ts";
import { AppError, storeRefusals } from "../http/errors.ts";
import { documentedRoute, operatorFault } from "../http/openapi.ts";
import type { RequestVariables } from "../http/request-log.ts";
import { logOf } from "../log.ts";
import type { SessionVariables } from "../session/middleware.ts";
import { MAX_ID_CHARACTERS } from "../session/messages.ts";
import { createOwnSessions } from "../session/own-sessions.ts";
import { messagesOf, SESSION_HEADER, VERSION_HEADER } from "../session/protocol.ts";
import type { Session } from "../session/session.ts";
import { createSessionState } from "../session/state.ts";
import type { StateStore } from "../session/state-store.ts";
import type { SessionStore } from "../session/store.ts";
import { authInfoOf, shownCaller, createRequireScopes } from "./caller.ts";
import type { Caller } from "./context.ts";
import type { RequestContext, ServerFactory } from "./server-factory.ts";
import { initializeProblem } from "./initialize.ts";
import { jsonAnswerOf } from "./json-answer.ts";
import { legacyVersions } from "./revisions.ts";
import { acceptingBoth, SessionTransport } from "./transport.ts";

const log = logOf("mcp", {
  info: {
    "Call refused": {
      meaning:
        "A tool, prompt or resource needs a scope that its caller does not have. `reason` is `insufficient_scope`.",
      fields: ["reason", "principal", "request_id"],
    },
  },
});

type McpContext = Context<{ Variables: SessionVariables & RequestVariables }>;

// What session/messages.ts takes.
const rpcVersion = z.literal("2.0");
const messageId = z.union([z.string().meta({ maxLength: MAX_ID_CHARACTERS }), z.int()]);
const requestMeta = z.looseObject({ progressToken: messageId.optional() });
const sentMessage = z.union([
  z.strictObject({
    jsonrpc: rpcVersion,
    id: messageId.optional().describe("Left out of a notification"),
    method: z.string(),
    params: z.looseObject({ _meta: requestMeta.optional() }).optional(),
  }),
  z.strictObject({ jsonrpc: rpcVersion, id: messageId, result: z.looseObject({}) }),
  z.strictObject({
    jsonrpc: rpcVersion,
    id: messageId.optional(),
    error: z.looseObject({ code: z.int(), message: z.string() }),
  }),
]);
const jsonRpcMessage = z.looseObject({ jsonrpc: rpcVersion });
const jsonRpcRefusal = z.strictObject({
  jsonrpc: z.literal("2.0"),
  error: z.strictObject({ code: z.int(), message: z.string(), data: operatorFault.optional() }),
  id: z.null(),
});
const refusal = z.union([
  jsonRpcRefusal,
  z
    .strictObject({ error: z.enum(["invalid_token", "insufficient_scope"]), error_description: z.string() })
    .describe("401 and 403 with OAUTH_ISSUERS (RFC 6750)"),
]);

const sessionHeaders = z.object({
  [SESSION_HEADER]: z.string().optional().describe("The id of the session; `initialize` does not need it"),
  [VERSION_HEADER]: z
    .enum(legacyVersions)
    .optional()
    .describe("The revision of the session. A request of 2026-07-28 names that one"),
});

export const mcpPostRoute = documentedRoute({
  summary: "The MCP endpoint: one JSON-RPC message, or a batch of them up to 2025-03-26",
  description: "Streamable HTTP, as the Model Context Protocol has it.",
  scope: "mcp",
  headers: sessionHeaders,
  body: z.union([sentMessage, z.array(sentMessage).min(1).max(BATCH_MESSAGES)]),
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
    "invalid_params",
    "session_id_required",
    "session_not_found",
    "unsupported_protocol_version",
    "too_many_sessions",
    ...storeRefusals,
  ],
  refusal,
});

export const mcpDeleteRoute = documentedRoute({
  summary: "Ends the session",
  scope: "mcp",
  headers: sessionHeaders.required({ [SESSION_HEADER]: true }),
  answers: { 204: { description: "The session is ended" } },
  refusals: [
    "origin_not_allowed",
    "session_id_required",
    "session_not_found",
    "unsupported_protocol_version",
    ...storeRefusals,
  ],
  refusal,
});

export interface McpEndpointOptions {
  createServer: ServerFactory;
  sessions: SessionStore;
  state: StateStore;
  /** Whose name is the session middleware's principal. */
  principal: (c: Context) => Principal;
  /** Undefined: no token is taken. */
  tokens: TokenConfig | undefined;
}

// RFC 5424, as logging/setLevel takes them.
const logLevels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

export function mcpEndpoint(options: McpEndpointOptions) {
  const { createServer, sessions, state, principal, tokens } = options;
  const contextOf = (c: McpContext, caller: Caller, session: Session | undefined): RequestContext => {
    const owner = caller.name;
    return {
      session,
      principal: owner,
      caller,
      requireScopes: createRequireScopes(caller, tokens),
      sessions: createOwnSessions(sessions, owner, session),
      state: session === undefined ? undefined : createSessionState(state, session),
      waitUntil: (promise) => c.executionCtx.waitUntil(promise),
      signal: c.req.raw.signal,
    };
  };

  return async function mcp(c: McpContext): Promise<Response> {
    const asking = principal(c);
    const response = await answer(c, shownCaller(asking));
    // What the SDK refuses so is a call without the scopes of its tool.
    if (response.status === 403) {
      const { label } = asking;
      log.info("Call refused", {
        reason: "insufficient_scope",
        principal: label,
        request_id: c.get("requestId"),
      });
    }
    return response;
  };

  async function answer(c: McpContext, caller: Caller): Promise<Response> {
    const parsedBody = c.get("mcpBody");
    const form = c.get("answerForm");
    const authInfo = authInfoOf(caller, c.req.url, tokens);
    if (!c.get("isLegacy")) {
      // It never ends, so it cannot be one JSON answer.
      if (form === "json" && messagesOf(parsedBody).some(({ method }) => method === "subscriptions/listen"))
        throw new AppError("not_acceptable", "Accept must allow text/event-stream");
      // The SDK answers by itself when the factory throws. It is thrown again, so that it is logged like any other mistake.
      let failure: { cause: unknown } | undefined;
      const create = () =>
        createServer(contextOf(c, caller, undefined)).catch((cause: unknown) => {
          failure = { cause };
          throw cause;
        });
      const responseMode = form === "stream" ? "sse" : "auto";
      const handler = createMcpHandler(create, { legacy: "reject", responseMode });
      const response = await handler.fetch(c.req.raw, { parsedBody, authInfo });
      if (failure !== undefined) throw failure.cause;
      return form === "json" ? jsonAnswerOf(response) : response;
    }
    const session = c.get("session");
    if (session === undefined) {
      const problem = initializeProblem(messagesOf(parsedBody)[0]?.params);
      if (problem !== undefined) throw new AppError("invalid_params", problem);
    }
    // Without a session this is `initialize`: the session gate reads the answer before it goes out.
    const enableJsonResponse = form === "json" || (form === "either" && session === undefined);
    const transport = new SessionTransport({ enableJsonResponse });
    const server = await createServer(contextOf(c, caller, session));
    await server.connect(transport);
    if (session !== undefined) {
      const id = c.req.header(SESSION_HEADER);
      if (id !== undefined) transport.sessionId = id;
      const level = requestedLogLevel(parsedBody);
      if (level !== undefined) await sessions.setLogLevel(session, level);
      await transport.restore(session);
    }
    return transport.handleRequest(acceptingBoth(c.req.raw), { parsedBody, authInfo });
  }
}

function requestedLogLevel(body: unknown): string | undefined {
  const request = messagesOf(body).find(({ method }) => method === "logging/setLevel");
  const level: unknown = Object(request?.params).level;
  return logLevels.find((known) => known === level);
}
