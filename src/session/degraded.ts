// The session that a handler gets while the database cannot be asked, if MCP_DEGRADED_MODE is `serve`. Pure.
import type { Session } from "./session.ts";

export const DEGRADED_HEADER = "Mcp-Session-Degraded";

// The version that a request without the header has (MCP 2025-06-18, transports).
const ASSUMED_VERSION = "2025-03-26";

/** A session of which only the key, the principal and the request's version are known. */
export function unknownSession(
  key: string,
  principal: string,
  version: string | undefined,
  now: Date,
): Session {
  return {
    key,
    principal,
    protocolVersion: version ?? ASSUMED_VERSION,
    clientInfo: { name: "unknown", version: "unknown" },
    capabilities: {},
    logLevel: null,
    createdAt: now,
    lastActive: now,
    expiresAt: now,
    isDegraded: true,
  };
}
