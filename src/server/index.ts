// Your MCP server. What stands in this folder is yours: replace it, in as many files as you like. Nothing else depends on it.
// docs/author.md explains the definition; test/server/ has a test to copy.
import { defineServer } from "../mcp/context.ts";
import { registerHandleTools } from "./handle-tools.ts";
import { registerSessionTools } from "./session-tools.ts";
import { registerStateTools } from "./state-tools.ts";

export default defineServer({
  name: "mcp-sessions",
  version: "0.1.0",
  register(server, context) {
    registerSessionTools(server, context);
    // Clients of MCP 2026-07-28 have no session: they keep a handle instead, or are not shown these tools.
    if (context.state !== undefined) registerStateTools(server, context.state);
    else if (context.handles !== undefined) registerHandleTools(server, context.handles);
  },
});
