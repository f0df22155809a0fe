// What is served of a session while the database cannot be asked, where MCP_DEGRADED_MODE allows it. Pure.
import type { Session } from "./session.ts";

export const DEGRADED_HEADER = "Mcp-Session-Degraded";

// What clients and servers assume where no version is named (MCP 2025-06-18, transports).
const ASSUMED_VERSION = "2025-03-26";

/** A session of which only its key, its owner and what the request says are known. */
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
