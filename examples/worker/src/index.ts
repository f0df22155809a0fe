// A whole MCP server with sessions: one tool, and nothing else of one's own.
import { createWorker, defineServer } from "mcp-sessions";
import * as z from "zod";

export default createWorker(
  defineServer({
    name: "shopping-list",
    version: "1.0.0",
    register(server, { state }) {
      // A client of MCP 2026-07-28 has no session, so it does not get this tool.
      if (state === undefined) return;
      server.registerTool(
        "add_item",
        {
          description: "Adds an item to the list of this session",
          inputSchema: z.object({ item: z.string() }),
        },
        async ({ item }) => {
          const { value } = await state.update("items", (current) => [
            ...z.array(z.string()).parse(current ?? []),
            item,
          ]);
          return { content: [{ type: "text", text: JSON.stringify(value) }] };
        },
      );
    },
  }),
);
