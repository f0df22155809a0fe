// The session rules of Streamable HTTP (MCP 2025-03-26 to 2025-11-25): headers, and errors as JSON-RPC. Pure.
import { type AppError, bearerError, type ErrorCode } from "../http/errors.ts";

export const SESSION_HEADER = "Mcp-Session-Id";
export const VERSION_HEADER = "MCP-Protocol-Version";

/** After opening too many sessions, a client must wait this long: the period of the rate limit in wrangler.toml. */
export const RATE_LIMIT_PERIOD_SECONDS = 60;

// JSON-RPC 2.0 §5.1, and what the MCP SDKs use beyond it.
const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
const INVALID_PARAMS = -32602;
const INTERNAL_ERROR = -32603;
const SERVER_ERROR = -32000;
const SESSION_NOT_FOUND = -32001;

const jsonRpcCodes: Record<ErrorCode, number> = {
  invalid_request: INVALID_REQUEST,
  invalid_params: INVALID_PARAMS,
  unauthenticated: SERVER_ERROR,
  forbidden: SERVER_ERROR,
  origin_not_allowed: SERVER_ERROR,
  not_found: SERVER_ERROR,
  method_not_allowed: SERVER_ERROR,
  not_acceptable: SERVER_ERROR,
  unsupported_media_type: SERVER_ERROR,
  payload_too_large: SERVER_ERROR,
  parse_error: PARSE_ERROR,
  session_id_required: SERVER_ERROR,
  session_not_found: SESSION_NOT_FOUND,
  handle_not_found: SERVER_ERROR,
  task_not_found: SERVER_ERROR,
  unsupported_protocol_version: SERVER_ERROR,
  too_many_sessions: SERVER_ERROR,
  authorization_unavailable: INTERNAL_ERROR,
  sessions_unavailable: INTERNAL_ERROR,
  sessions_unusable: INTERNAL_ERROR,
  configuration_invalid: INTERNAL_ERROR,
  internal: INTERNAL_ERROR,
};

/**
 * The body of a refusal on the MCP endpoint. It contains nothing of the request, so two refusals with the same message are
 * the same to the byte. A client cannot tell a session of another principal from one that never existed. `data` is for
 * operators alone.
 */
export function jsonRpcError({ code, message, fault }: AppError) {
  const error = { code: jsonRpcCodes[code], message, ...(fault !== undefined && { data: fault }) };
  return { jsonrpc: "2.0", error, id: null };
}

/** The body of a refusal on the MCP endpoint. @param areTokensTaken then clients of OAuth read those of the guard. */
export const mcpRefusal = (error: AppError, areTokensTaken: boolean): object =>
  (areTokensTaken ? bearerError(error) : undefined) ?? jsonRpcError(error);

const DATA = "data: ";

/** The messages of an answer, as text: the one of JSON, or each of a stream. */
export async function messageTextsOf(response: Response): Promise<string[]> {
  const text = await response.text();
  if (!isStream(response)) return [text];
  // Not by a pattern with `.` and `$`: to them U+2028 ends a line, too. The priming event of a stream has no data.
  const lines = text.split("\n").filter((line) => line.startsWith(DATA) && line !== DATA);
  return lines.map((line) => line.slice(DATA.length));
}

export const isStream = ({ headers }: Response): boolean =>
  headers.get("Content-Type")?.startsWith("text/event-stream") === true;

/** The messages of a body. A batch is an array of them (2025-03-26 only). */
export function messagesOf(body: unknown): { method?: unknown; params?: unknown }[] {
  return (Array.isArray(body) ? body : [body]).filter(isObject);
}

/** Whether a value is an object of JSON: neither null nor an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
