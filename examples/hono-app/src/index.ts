// An app that was there before: it has pages, and users with tokens of their own. Sessions come before its MCP handler.
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { Hono } from "hono";
import { bearerAuth } from "hono/bearer-auth";
import { scheduledCleanup } from "mcp-sessions/cron";
import { mcpSessions, nameOfSession, type Session, type SessionVariables } from "mcp-sessions/session";
import * as z from "zod";

interface App {
  Bindings: { DATABASE_URL: string; USER_TOKENS: string };
  Variables: SessionVariables & { user: string };
}

const app = new Hono<App>();

app.get("/", (c) => c.text("The app that was there before"));

// What an app has already: it finds out who is asking.
app.use(
  "/mcp",
  bearerAuth<App>({
    verifyToken(token, c) {
      const users: Record<string, string> = JSON.parse(c.env.USER_TOKENS);
      const user = users[token];
      if (user !== undefined) c.set("user", user);
      return user !== undefined;
    },
  }),
);

// One line is new. A session belongs to the text that `principal` returns.
app.all("/mcp", mcpSessions({ principal: (c) => c.get("user") }), (c) =>
  handlerFor(c.get("session"), c.get("user")).fetch(c.req.raw, { parsedBody: c.get("mcpBody") }),
);

/** Any function from a request to a response will do. Here it is the SDK's. */
function handlerFor(session: Session | undefined, user: string) {
  return createMcpHandler(() => {
    const server = new McpServer({ name: "hono-app", version: "1.0.0" });
    server.registerTool("who_am_i", { description: "Names the user", inputSchema: z.object({}) }, () => ({
      content: [
        { type: "text", text: session === undefined ? user : `${user} ${nameOfSession(session.key)}` },
      ],
    }));
    return server;
  });
}

export default { fetch: app.fetch, scheduled: scheduledCleanup() };
