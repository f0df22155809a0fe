// A basket for clients with and without a session: a tool hands a handle out, and takes it back. docs/handles.md shows it.
import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { defineServer, HandleError, type Handles } from "../src/mcp/context.ts";

const items = z.array(z.string());
// What a tool takes back comes from a model: its description says where it has it from.
const basket = z.string().describe("The `basket` that open_basket has returned");

export default defineServer({
  name: "shop",
  version: "1.0.0",
  register(server, { handles }) {
    if (handles !== undefined) registerBasket(server, handles);
  },
});

function registerBasket(server: McpServer, handles: Handles): void {
  // #region make
  server.registerTool(
    "open_basket",
    { description: "Opens a basket. The other tools need what it returns", inputSchema: z.object({}) },
    async () => {
      // A day after its last use it is gone.
      const { handle } = await handles.make("basket", [], { ttlSeconds: 86_400, sliding: true });
      return result({ basket: handle });
    },
  );
  // #endregion

  // #region update
  server.registerTool(
    "add_to_basket",
    { description: "Adds an item to a basket", inputSchema: z.object({ basket, item: z.string() }) },
    async ({ basket: handle, item }) => {
      const { value } = await handles.update(handle, (current) => [...items.parse(current.value), item]);
      return result({ items: value });
    },
  );
  // #endregion

  // #region change
  server.registerTool(
    "replace_basket",
    {
      description: "Replaces what is in a basket, if nobody has changed it since it was read",
      inputSchema: z.object({ basket, items, if_version: z.int() }),
    },
    async ({ basket: handle, items: value, if_version: ifVersion }) => {
      try {
        const { version } = await handles.change(handle, value, { ifVersion });
        return result({ replaced: true, version });
      } catch (error) {
        if (!(error instanceof HandleError) || error.code !== "version_mismatch") throw error;
        return result({ replaced: false });
      }
    },
  );
  // #endregion

  // #region read-end
  server.registerTool(
    "read_basket",
    { description: "What is in a basket", inputSchema: z.object({ basket }) },
    async ({ basket: handle }) => {
      const entry = await handles.read(handle);
      // A handle of another tool is one of the same principal.
      if (entry?.kind !== "basket") throw new Error("There is no such basket. Open a new one");
      return result({ items: entry.value, version: entry.version });
    },
  );

  server.registerTool(
    "check_out",
    { description: "Buys what is in a basket, once", inputSchema: z.object({ basket }) },
    async ({ basket: handle }) => {
      const entry = await handles.read(handle);
      // Of two calls at once only one ends it.
      const isMine = entry?.kind === "basket" && (await handles.end(handle));
      if (!isMine) throw new Error("There is no such basket");
      return result({ bought: entry.value });
    },
  );
  // #endregion
}

/** The same twice: as an object for programs, and as text for clients that show only text. */
function result(structuredContent: Record<string, unknown>) {
  return { structuredContent, content: [{ type: "text" as const, text: JSON.stringify(structuredContent) }] };
}
