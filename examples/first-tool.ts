import * as z from "zod";
import { defineServer } from "../src/mcp/context.ts";

export default defineServer({
  name: "counter",
  version: "1.0.0",
  register(server, { state }) {
    // A client of MCP 2026-07-28 has no session, so it does not get this tool.
    if (state === undefined) return;
    server.registerTool(
      "count",
      { description: "Counts its calls in this session", inputSchema: z.object({}) },
      async () => {
        const { value } = await state.update("calls", (current) => Number(current ?? 0) + 1);
        return { content: [{ type: "text", text: `Call number ${JSON.stringify(value)}` }] };
      },
    );
  },
});
