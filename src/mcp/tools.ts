// Your file: the tools of this server. Those that are here are small and real; replace them with your own, with
// anything that the SDK's McpServer can register.
import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { isStorable, nameOfSession, type Session } from "../session/session.ts";
import { STATE_LIMIT_BYTES, type StateStore } from "../session/state-store.ts";
import type { SessionStore } from "../session/store.ts";

export const serverInfo = { name: "mcp-sessions", version: "0.1.0" };

/** What your handlers get to know and to use. */
export interface ToolContext {
  /** The session of a client up to 2025-11-25; undefined for one of 2026-07-28, which has none. */
  session: Session | undefined;
  /** Who is asking. */
  principal: string;
  sessions: SessionStore;
  state: StateStore;
}

/** Called once a request, with a server of its own. What a handler throws reaches the client as its message. */
export function registerTools(server: McpServer, context: ToolContext): void {
  const { session } = context;
  registerPrincipalTools(server, context);
  if (session !== undefined) registerStateTools(server, session, context);
}

/** For clients of every revision. */
function registerPrincipalTools(server: McpServer, { session, principal, sessions }: ToolContext): void {
  server.registerTool(
    "session_info",
    { description: "What the server knows about this session", inputSchema: z.object({}) },
    () => result({ session: null, principal, ...(session !== undefined && describe(session)) }),
  );

  server.registerTool(
    "list_my_sessions",
    { description: "The live sessions that were opened with your key", inputSchema: z.object({}) },
    async () => {
      const own = await sessions.list(principal);
      return result({
        sessions: own.map(({ key, clientInfo, ...times }) => ({
          session: nameOfSession(key),
          client: clientInfo["name"] ?? null,
          created_at: times.createdAt.toISOString(),
          last_active: times.lastActive.toISOString(),
          expires_at: times.expiresAt.toISOString(),
          is_current: key === session?.key,
        })),
      });
    },
  );

  server.registerTool(
    "end_my_other_sessions",
    {
      description: "End all sessions that were opened with your key, but this one",
      inputSchema: z.object({}),
    },
    async () => result({ ended: await sessions.endOthers(principal, session?.key) }),
  );
}

const stateKey = z
  .string()
  .min(1)
  .max(256)
  .refine(isStorable, { error: "must not contain NUL or half a character" });
const stateValue = z.json().refine(isStorable, { error: "must not contain NUL or half a character" });

/** For clients that have a session: a JSON document that lives as long as it. */
function registerStateTools(server: McpServer, session: Session, { state: store }: ToolContext): void {
  const reachable = () => {
    if (session.isDegraded)
      throw new Error("The session's state cannot be reached at the moment; nothing was done");
    return store;
  };
  server.registerTool(
    "session_state_get",
    { description: "Read a value that was kept in this session", inputSchema: z.object({ key: stateKey }) },
    async ({ key }) => result(live(await reachable().get(session, key))),
  );

  server.registerTool(
    "session_state_set",
    {
      description: `Keep a JSON value in this session, at most ${STATE_LIMIT_BYTES / 1024} KiB in all`,
      inputSchema: z.object({ key: stateKey, value: stateValue }),
    },
    async ({ key, value }) => {
      const write = await reachable().set(session, key, value);
      if (write.outcome === "too_large") {
        throw new Error(`The session would hold more than ${STATE_LIMIT_BYTES} bytes; nothing was written`);
      }
      return result({ key, size_bytes: live(write.outcome === "gone" ? undefined : write.sizeBytes) });
    },
  );

  server.registerTool(
    "session_state_delete",
    { description: "Delete a value that was kept in this session", inputSchema: z.object({ key: stateKey }) },
    async ({ key }) => result({ deleted: live(await reachable().delete(session, key)) }),
  );
}

/** @throws Error when the session was ended, or expired, since the request began. */
function live<T>(answer: T | undefined): T {
  if (answer === undefined) throw new Error("The session has ended");
  return answer;
}

function describe({
  key,
  protocolVersion,
  clientInfo,
  capabilities,
  logLevel,
  isDegraded,
  ...times
}: Session) {
  return {
    session: nameOfSession(key),
    protocol_version: protocolVersion,
    client_info: clientInfo,
    capabilities,
    log_level: logLevel,
    is_degraded: isDegraded,
    created_at: times.createdAt.toISOString(),
    last_active: times.lastActive.toISOString(),
    expires_at: times.expiresAt.toISOString(),
  };
}

/** A result for programs, and the same as text for clients that show only that. */
function result(structuredContent: Record<string, unknown>) {
  return { structuredContent, content: [{ type: "text" as const, text: JSON.stringify(structuredContent) }] };
}
