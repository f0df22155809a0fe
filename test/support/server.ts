// The MCP server that our tests bring: a tool for each part of the context. The author's room may hold anything else.
import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { defineServer, type ServerContext, type SessionState } from "../../src/mcp/context.ts";
import { registerAskingTools } from "./asking-tools.ts";
import { registerHandleTools } from "./handle-tools.ts";
import { nameOfSession } from "../../src/session/session.ts";

export const serverVariables = {
  TEST_GREETING: z.string().default("hello").describe("What the tool `greet` says"),
  MCP_TEST_LIMIT: z.coerce
    .number({ error: "must be a number" })
    .optional()
    .describe("Of our prefix, and declared"),
};

type Context = ServerContext<typeof serverVariables>;

export default defineServer({
  name: "test-server",
  version: "1.0.0",
  variables: serverVariables,
  options: ({ principal }) => ({ instructions: `For ${principal}.` }),
  register(server, context) {
    registerContextTools(server, context);
    registerAskingTools(server);
    if (context.state !== undefined) registerStateTools(server, context.state);
    if (context.handles !== undefined) registerHandleTools(server, context.handles);
    server.registerPrompt("ask", { description: "Asks" }, () => ({
      messages: [{ role: "user" as const, content: { type: "text" as const, text: "How are you?" } }],
    }));
    server.registerResource("note", "test://note", {}, (uri) => ({
      contents: [{ uri: uri.href, text: "A note" }],
    }));
  },
});

function registerContextTools(server: McpServer, context: Context): void {
  const { session, principal, sessions, env, waitUntil, signal, requireScopes } = context;
  const none = { inputSchema: z.object({}) };

  server.registerTool("session_info", none, () => {
    if (session === undefined) return result({ session: null, principal });
    const { key, protocolVersion, clientInfo, capabilities, logLevel, isDegraded } = session;
    return result({
      session: nameOfSession(key),
      principal,
      protocol_version: protocolVersion,
      client_info: clientInfo,
      capabilities,
      log_level: logLevel,
      is_degraded: isDegraded,
      created_at: session.createdAt?.toISOString() ?? null,
      last_active: session.lastActive?.toISOString() ?? null,
      expires_at: session.expiresAt?.toISOString() ?? null,
    });
  });

  server.registerTool("list_my_sessions", none, async () => {
    const own = await sessions.list();
    return result({
      sessions: own.map(({ key, clientInfo, ...times }) => ({
        session: nameOfSession(key),
        client: clientInfo["name"],
        created_at: times.createdAt?.toISOString() ?? null,
        last_active: times.lastActive?.toISOString() ?? null,
        expires_at: times.expiresAt?.toISOString() ?? null,
        is_current: key === session?.key,
      })),
    });
  });

  server.registerTool("end_my_other_sessions", none, async () =>
    result({ ended: await sessions.endOthers() }),
  );

  server.registerTool("greet", none, () =>
    result({ greeting: env.TEST_GREETING, limit: env.MCP_TEST_LIMIT ?? null, aborted: signal.aborted }),
  );

  server.registerTool("read_notes", { ...none, scopeChallenge: requireScopes("notes:read") }, () =>
    result({ notes: ["A note"] }),
  );

  // Reports progress before it answers.
  server.registerTool("report", none, async (_, { mcpReq }) => {
    const { _meta: meta } = mcpReq;
    const progressToken = String(meta?.progressToken);
    await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress: 1 } });
    return { content: [{ type: "text" as const, text: "reported" }] };
  });

  // Runs until its client goes away, and keeps in the session that it has noticed.
  server.registerTool(
    "await_client_gone",
    { inputSchema: z.object({ key: z.string() }) },
    async ({ key }) => {
      // Something must be in progress, or the platform thinks that the Worker hangs.
      while (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 10));
      await context.state?.set(key, "the client has gone");
      return result({});
    },
  );

  // Writes to the session's state after the response has gone out.
  server.registerTool("later", { inputSchema: z.object({ key: z.string() }) }, ({ key }) => {
    waitUntil(context.state?.set(key, "written later") ?? Promise.resolve());
    return result({});
  });
}

function registerStateTools(server: McpServer, state: SessionState): void {
  const key = z.string();
  const if_version = z.int().optional();

  server.registerTool("session_state_get", { inputSchema: z.object({ key }) }, async (input) => {
    const entry = await state.get(input.key);
    return result({ found: entry !== undefined, value: entry?.value ?? null, version: entry?.version ?? 0 });
  });

  server.registerTool(
    "session_state_set",
    { inputSchema: z.object({ key, value: z.any(), if_version }) },
    async (input) => {
      const written = await state.set(input.key, input.value, { ifVersion: input.if_version });
      return result({ key: input.key, version: written.version, size_bytes: written.sizeBytes });
    },
  );

  server.registerTool("session_state_delete", { inputSchema: z.object({ key, if_version }) }, async (input) =>
    result({ deleted: await state.delete(input.key, { ifVersion: input.if_version }) }),
  );

  server.registerTool("session_state_increment", { inputSchema: z.object({ key }) }, async (input) => {
    const { value, version } = await state.update(input.key, (current) => Number(current ?? 0) + 1);
    return result({ value, version });
  });

  // The update that loses writes: for tests that show that the other does not.
  server.registerTool("get_then_set", { inputSchema: z.object({ key }) }, async (input) => {
    const entry = await state.get(input.key);
    return result({ ...(await state.set(input.key, Number(entry?.value ?? 0) + 1)) });
  });
}

function result(structuredContent: Record<string, unknown>) {
  return { structuredContent, content: [{ type: "text" as const, text: JSON.stringify(structuredContent) }] };
}
