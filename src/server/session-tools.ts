// Tools about the sessions of the principal that is asking, for clients of every revision.
import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { ServerContext } from "../mcp/context.ts";
import { nameOfSession, type Session } from "../session/session.ts";
import { result } from "./result.ts";

export function registerSessionTools(
  server: McpServer,
  { session, principal, caller, sessions }: ServerContext,
): void {
  const byWhom = caller.kind === "key" ? "with your key" : "by you";
  const person = caller.kind === "person" ? { issuer: caller.issuer, subject: caller.subject } : {};
  server.registerTool(
    "session_info",
    { description: "What the server knows about this session", inputSchema: z.object({}) },
    () => result({ session: null, principal, ...person, ...(session !== undefined && infoOf(session)) }),
  );

  server.registerTool(
    "list_my_sessions",
    { description: `The live sessions that were opened ${byWhom}`, inputSchema: z.object({}) },
    async () => {
      const own = await sessions.list();
      return result({
        sessions: own.map(({ key, clientInfo, ...times }) => ({
          session: nameOfSession(key),
          client: clientInfo["name"] ?? null,
          created_at: times.createdAt?.toISOString() ?? null,
          last_active: times.lastActive?.toISOString() ?? null,
          expires_at: times.expiresAt?.toISOString() ?? null,
          is_current: key === session?.key,
        })),
      });
    },
  );

  server.registerTool(
    "end_my_other_sessions",
    {
      description: `End all sessions that were opened ${byWhom}, but this one`,
      inputSchema: z.object({}),
    },
    async () => result({ ended: await sessions.endOthers() }),
  );
}

function infoOf(session: Session) {
  return {
    session: nameOfSession(session.key),
    protocol_version: session.protocolVersion,
    client_info: session.clientInfo,
    capabilities: session.capabilities,
    log_level: session.logLevel,
    is_degraded: session.isDegraded,
    created_at: session.createdAt?.toISOString() ?? null,
    last_active: session.lastActive?.toISOString() ?? null,
    expires_at: session.expiresAt?.toISOString() ?? null,
  };
}
