// Which revisions of MCP have sessions.
import { isLegacyRequest as isLegacyForSdk, SUPPORTED_PROTOCOL_VERSIONS } from "@modelcontextprotocol/server";

/** The revisions with sessions, newest first. */
export const legacyVersions: readonly string[] = SUPPORTED_PROTOCOL_VERSIONS;

/** Whether a request belongs to a revision with sessions. Gets the parsed body. */
export const isLegacyRequest = (request: Request, body: unknown): Promise<boolean> =>
  isLegacyForSdk(request, body);
