// A whole MCP server with sessions: one tool, for clients with and without a session, and nothing else of one's own.
import { createWorker, defineServer } from "mcp-sessions";
import * as z from "zod";

const items = z.array(z.string());
const item = z.string();

export default createWorker(
  defineServer({
    name: "shopping-list",
    version: "1.0.0",
    register(server, { state, handles }) {
      if (state !== undefined) {
        server.registerTool(
          "add_item",
          {
            description: "Adds an item to the list of this session",
            inputSchema: z.object({ item }),
          },
          async (added) => {
            const { value } = await state.update("items", (current) => [
              ...items.parse(current ?? []),
              added.item,
            ]);
            return { content: [{ type: "text", text: JSON.stringify(value) }] };
          },
        );
      } else if (handles !== undefined) {
        // A client of MCP 2026-07-28 has no session. It gets a handle, and gives it back.
        server.registerTool(
          "add_item",
          {
            description: "Adds an item to a list. Without `list` it begins one: give it the same `list` then",
            inputSchema: z.object({ item, list: z.string().optional() }),
          },
          async (added) => {
            const list = added.list ?? (await handles.make("list", [])).handle;
            const { value } = await handles.update(list, (current) => [
              ...items.parse(current.value),
              added.item,
            ]);
            return { content: [{ type: "text", text: JSON.stringify({ list, items: value }) }] };
          },
        );
      }
    },
  }),
);
