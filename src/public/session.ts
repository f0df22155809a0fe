// mcp-sessions/session: sessions before an MCP handler of your own.
export { connect, type Database } from "../db/client.ts";
export { DatabaseFault, type FaultKind } from "../db/fault.ts";
export { AppError, type ErrorCode, refusalOfFault } from "../http/errors.ts";
export { jsonAnswerOf } from "../mcp/json-answer.ts";
export { isLegacyRequest, legacyVersions } from "../mcp/revisions.ts";
export { acceptingBoth } from "../mcp/transport.ts";
export { mcpSessions, type McpSessionsOptions } from "../parts/sessions.ts";
export {
  type AnswerForm,
  sessionMiddleware,
  type SessionMiddlewareOptions,
  type SessionVariables,
} from "../session/middleware.ts";
export { jsonRpcError } from "../session/protocol.ts";
export { createSessionId, keyOfSession, nameOfSession, type Session } from "../session/session.ts";
export {
  createSessionStore,
  type NewSession,
  type SessionSettings,
  type SessionStore,
} from "../session/store.ts";
