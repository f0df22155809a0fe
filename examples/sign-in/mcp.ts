// The MCP server that people sign in to: an app with a page of its own, and the parts of the package that take tokens and keys.
import { Hono } from "hono";
import { metadataRoutes, principalOf, requireScope } from "mcp-sessions/auth";
import { scheduledCleanup } from "mcp-sessions/cron";
import { defineServer, mcpRoutes } from "mcp-sessions/mcp";
import * as z from "zod";

const visitors = defineServer({
  name: "visitors",
  version: "1.0.0",
  register(server, { caller, requireScopes }) {
    const name = caller.kind === "person" ? caller.subject : caller.name;
    server.registerTool(
      "who_am_i",
      { description: "Names who is asking", inputSchema: z.object({}) },
      () => ({
        content: [{ type: "text", text: `${name}, by a ${caller.kind === "key" ? "key" : "token"}` }],
      }),
    );
    server.registerTool(
      "close",
      {
        description: "Closes the house",
        inputSchema: z.object({}),
        // Needs more than `mcp`. The client gets 403, sends its person to the page again, and calls again.
        scopeChallenge: requireScopes("admin"),
      },
      () => ({ content: [{ type: "text", text: `${name} has closed the house` }] }),
    );
  },
});

const app = new Hono();
app.get("/", (c) => c.text("A page of the app"));
// Says to clients who gives tokens for /mcp.
app.route("/", metadataRoutes("Visitors"));
app.route("/mcp", mcpRoutes(visitors, { principal: principalOf, guard: requireScope("mcp") }));

export default { fetch: app.fetch, scheduled: scheduledCleanup() };
