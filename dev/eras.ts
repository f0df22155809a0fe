// What a client of each era gets of /mcp, in words, and what it says first.
import { handleSettings } from "../src/handles/settings.ts";
import { type Eras, mcpSettings } from "../src/mcp/settings.ts";
import { readSettings } from "../src/settings.ts";

export interface ServedEras {
  eras: Eras;
  /** Whether tools can keep something for a client without a session. */
  hasHandles: boolean;
}

export const servedEras = (vars: object): ServedEras => ({
  eras: readSettings(mcpSettings, vars).eras,
  hasHandles: readSettings(handleSettings, vars).handles !== undefined,
});

/** One line for each era. */
export function eraLines({ eras, hasHandles }: ServedEras): string[] {
  const sessions = "A client up to 2025-11-25 gets a session, and tools that keep values in it.";
  const kept = hasHandles
    ? "no session; its tools keep values in handles"
    : "no session, and no tool that keeps values: set MCP_HANDLES=true for these";
  const lines: Record<Eras, string[]> = {
    both: [sessions, `A client of 2026-07-28 gets ${kept}.`],
    sessions: [sessions, "A client of 2026-07-28 is told to fall back: MCP_ERAS=sessions."],
    stateless: [
      "A client up to 2025-11-25 is refused: MCP_ERAS=stateless.",
      `A client of 2026-07-28 gets ${kept}.`,
    ],
  };
  return lines[eras];
}

const clientInfo = { name: "curl", version: "1" };
const MODERN = "2026-07-28";

/** The arguments of curl for what an MCP client says first. In a session the answer has the header Mcp-Session-Id, to repeat. */
export function firstRequest({ eras }: ServedEras): string[] {
  const isModern = eras === "stateless";
  const method = isModern ? "server/discover" : "initialize";
  const params = isModern
    ? {
        _meta: {
          "io.modelcontextprotocol/protocolVersion": MODERN,
          "io.modelcontextprotocol/clientInfo": clientInfo,
          "io.modelcontextprotocol/clientCapabilities": {},
        },
      }
    : { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  const headers = isModern ? [`-H "MCP-Protocol-Version: ${MODERN}"`, `-H "Mcp-Method: ${method}"`] : [];
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  return [
    "-i",
    '-H "Content-Type: application/json"',
    '-H "Accept: application/json, text/event-stream"',
    ...headers,
    `-d "${body.replaceAll('"', String.raw`\"`)}"`,
  ];
}
