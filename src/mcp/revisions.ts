// Which revisions of MCP have sessions, and which of them are served.
import {
  isLegacyRequest as isLegacyForSdk,
  PROTOCOL_VERSION_META_KEY,
  SUPPORTED_PROTOCOL_VERSIONS,
  UnsupportedProtocolVersionError,
} from "@modelcontextprotocol/server";
import { isObject, messagesOf, VERSION_HEADER } from "../session/protocol.ts";
import type { Eras } from "./settings.ts";

/** The revisions with sessions, newest first. */
export const legacyVersions: readonly string[] = SUPPORTED_PROTOCOL_VERSIONS;

/** Whether a request belongs to a revision with sessions. Gets the parsed body. */
export const isLegacyRequest = (request: Request, body: unknown): Promise<boolean> =>
  isPlainlyLegacy(request, body) ? Promise.resolve(true) : isLegacyForSdk(request, body);

const REVISION = /^\d{4}-\d\d-\d\d$/;

/**
 * A message that claims nothing of a revision without sessions. The SDK says so, too, after a fifth of a millisecond; but to it
 * a header such as `latest` names one, whose members it then misses in the message. Here the gate refuses the header.
 */
function isPlainlyLegacy({ headers }: Request, body: unknown): boolean {
  if (!isObject(body) || body["jsonrpc"] !== "2.0" || typeof body["method"] !== "string") return false;
  const version = headers.get(VERSION_HEADER);
  if (version !== null && REVISION.test(version) && !legacyVersions.includes(version)) return false;
  const { params = {} } = body;
  return isObject(params) && params["_meta"] === undefined;
}

/** The same where these revisions are served. `stateless`: no request does, and the SDK refuses those that would. */
export const legacyCheckOf = (eras: Eras): typeof isLegacyRequest =>
  eras === "stateless" ? () => Promise.resolve(false) : isLegacyRequest;

/** The methods of `/mcp`. */
export const mcpMethodsOf = (eras: Eras, areStreamsReplayed: boolean): string[] =>
  eras === "stateless" ? ["POST"] : [...(areStreamsReplayed ? ["GET"] : []), "POST", "DELETE"];

/** The answer to a request of a revision without sessions, where only those with sessions are served: its client falls back. */
export function sessionsOnly(body: unknown): Response {
  const [message] = messagesOf(body);
  const { id, params } = Object(message);
  const named: unknown = Object(Object(params)["_meta"])[PROTOCOL_VERSION_META_KEY];
  const {
    code,
    message: says,
    data,
  } = new UnsupportedProtocolVersionError({
    supported: [...legacyVersions],
    requested: typeof named === "string" && REVISION.test(named) ? named : "unknown",
  });
  const isId = typeof id === "string" || typeof id === "number";
  return Response.json(
    { jsonrpc: "2.0", id: isId ? id : null, error: { code, message: says, data } },
    { status: 400, headers: { "Cache-Control": "no-store" } },
  );
}
