// How the routes of the MCP endpoint describe themselves.
import * as z from "zod";
import { storeRefusals } from "../http/errors.ts";
import { BATCH_MESSAGES } from "../http/json-bounds.ts";
import { documentedRoute, operatorFault } from "../http/openapi.ts";
import { MAX_ID_CHARACTERS } from "../session/messages.ts";
import { SESSION_HEADER, VERSION_HEADER } from "../session/protocol.ts";
import { LAST_EVENT_HEADER } from "../streams/event-id.ts";
import { legacyVersions } from "./revisions.ts";

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

export const mcpGetRoute = documentedRoute({
  summary: "The rest of an answer, for a client that comes back",
  description: "With MCP_STREAMS. It never waits: a client comes back until the response is there.",
  scope: "mcp",
  headers: sessionHeaders.required({ [SESSION_HEADER]: true }).extend({
    [LAST_EVENT_HEADER]: z.string().describe("The id of the last event that the client has read"),
  }),
  answers: {
    200: {
      description: "The events after that one, as a stream",
      schema: jsonRpcMessage,
      contentTypes: ["text/event-stream"],
    },
  },
  refusals: [
    "origin_not_allowed",
    "not_acceptable",
    "session_id_required",
    "session_not_found",
    "unsupported_protocol_version",
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
