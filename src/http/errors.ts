// What a client may be told: a code, a sentence and a request id. Nothing of what went wrong inside, except to operators.
import { type DatabaseFault, type FaultKind, mayPass } from "../db/fault.ts";

const refusals = {
  invalid_request: { status: 400, message: "The request is not valid" },
  invalid_params: { status: 400, message: "The parameters of initialize are not valid" },
  unauthenticated: { status: 401, message: "A valid key is required" },
  forbidden: { status: 403, message: "The key does not have the scope that this route needs" },
  origin_not_allowed: { status: 403, message: "The Origin is not allowed" },
  not_found: { status: 404, message: "There is no such route" },
  method_not_allowed: { status: 405, message: "The route does not support this method" },
  not_acceptable: { status: 406, message: "Accept must allow application/json or text/event-stream" },
  unsupported_media_type: { status: 415, message: "Content-Type must be application/json" },
  payload_too_large: { status: 413, message: "The request body is too large" },
  parse_error: { status: 400, message: "The body is not JSON" },
  session_id_required: { status: 400, message: "The header Mcp-Session-Id is required" },
  session_not_found: { status: 404, message: "Session not found" },
  handle_not_found: { status: 404, message: "There is no active handle with this key" },
  task_not_found: { status: 404, message: "There is no task with this key that can be cancelled" },
  unsupported_protocol_version: { status: 400, message: "The MCP-Protocol-Version is not supported" },
  too_many_sessions: { status: 429, message: "Too many sessions are being opened; try again later" },
  authorization_unavailable: {
    status: 503,
    message: "The authorization server cannot be reached, so the token cannot be checked; try again",
  },
  sessions_unavailable: { status: 503, message: "The session store cannot be reached; try again" },
  sessions_unusable: { status: 503, message: "The session store cannot be used; its operator must act" },
  configuration_invalid: {
    status: 500,
    message: "The Worker's configuration is wrong; its log names the variables",
  },
  internal: { status: 500, message: "The Worker failed; its log has the request id" },
} as const satisfies Record<string, { status: number; message: string }>;

export type ErrorCode = keyof typeof refusals;

/** What a route that needs the database can refuse a request with. */
export const storeRefusals = ["sessions_unavailable", "sessions_unusable"] as const satisfies ErrorCode[];

// A suspended compute is awake again by then.
const RETRY_AFTER_SECONDS = "5";

export function statusOf(code: ErrorCode): number {
  return refusals[code].status;
}

/** A refusal that a route throws; `app.ts` turns it into the response. */
export class AppError extends Error {
  override name = "AppError";
  readonly code: ErrorCode;
  readonly headers: Record<string, string>;
  /** What is wrong with the database, for operators alone. */
  readonly fault: { kind: FaultKind; sqlstate: string | null } | undefined;

  /** `message` reaches the client: it names what must change, never a value that was sent. */
  constructor(
    code: ErrorCode,
    message: string = refusals[code].message,
    headers: Record<string, string> = {},
    fault?: AppError["fault"],
  ) {
    super(message);
    this.code = code;
    this.headers = headers;
    this.fault = fault;
  }
}

/**
 * What a client is told when the database has failed: to try again where waiting can help, and else not to.
 * @param isForOperator whether the body also names the kind of the fault and its SQLSTATE.
 */
export function refusalOfFault({ kind, sqlstate }: DatabaseFault, isForOperator = false): AppError {
  const fault = isForOperator ? { kind, sqlstate: sqlstate ?? null } : undefined;
  return mayPass(kind)
    ? new AppError("sessions_unavailable", undefined, { "Retry-After": RETRY_AFTER_SECONDS }, fault)
    : new AppError("sessions_unusable", undefined, {}, fault);
}

// What OAuth clients look for, here or below the address of a resource (RFC 6749, 7009, 7591, 8414, 9728).
const OAUTH_PATH = /^\/(?:register|authorize|token|revoke)$|\/\.well-known\/(?:oauth-|openid-configuration)/;

/** The body of a refusal as OAuth clients read it (RFC 6749 §5.2), for a path of OAuth; else undefined. */
export function oauthError(path: string, { code, message }: AppError): object | undefined {
  return OAUTH_PATH.test(path) ? { error: code, error_description: message } : undefined;
}

const bearerErrors: Partial<Record<ErrorCode, string>> = {
  unauthenticated: "invalid_token",
  forbidden: "insufficient_scope",
};

/** The body of a refusal of the guard, as clients of OAuth read it (RFC 6750 §3.1); undefined for any other refusal. */
export function bearerError({ code, message }: AppError): object | undefined {
  const error = bearerErrors[code];
  return error === undefined ? undefined : { error, error_description: message };
}

/** `{"error":{"code","message","request_id"}}`, or another `body`, with the status of its code. An operator's has more. */
export function errorResponse(
  error: AppError,
  requestId: string,
  body: object = {
    error: { code: error.code, message: error.message, request_id: requestId, ...error.fault },
  },
): Response {
  const headers = { "Cache-Control": "no-store", "X-Request-Id": requestId, ...error.headers };
  return Response.json(body, { status: refusals[error.code].status, headers });
}
