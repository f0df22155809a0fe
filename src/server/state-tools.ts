// Tools that keep JSON values in the session, for clients that have one.
import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { SessionState } from "../mcp/context.ts";
import { result } from "./result.ts";

const key = z.string().min(1).max(256).describe("The name of the value");
const ifVersion = z
  .int()
  .min(0)
  .optional()
  .describe("Only if the value still has this version; 0: only if there is none");

export function registerStateTools(server: McpServer, state: SessionState): void {
  server.registerTool(
    "session_state_get",
    { description: "Read a value that was kept in this session", inputSchema: z.object({ key }) },
    async (input) => {
      const entry = await state.get(input.key);
      return result({
        found: entry !== undefined,
        value: entry?.value ?? null,
        version: entry?.version ?? 0,
      });
    },
  );

  server.registerTool(
    "session_state_set",
    {
      description: "Keep a JSON value in this session, at most 64 KiB in all",
      // What comes from a body is JSON. To look at each value once more would take most of the time of a large one.
      inputSchema: z.object({ key, value: z.any(), if_version: ifVersion }),
    },
    async (input) => {
      const written = await state.set(input.key, input.value, { ifVersion: input.if_version });
      return result({ key: input.key, version: written.version, size_bytes: written.sizeBytes });
    },
  );

  server.registerTool(
    "session_state_delete",
    {
      description: "Delete a value that was kept in this session",
      inputSchema: z.object({ key, if_version: ifVersion }),
    },
    async (input) => result({ deleted: await state.delete(input.key, { ifVersion: input.if_version }) }),
  );

  server.registerTool(
    "session_state_increment",
    {
      description: "Add to a number that is kept in this session, also when others do so at the same time",
      inputSchema: z.object({ key, by: z.int().default(1) }),
    },
    async ({ key: name, by }) => {
      const entry = await state.update(name, (current = 0) => {
        if (typeof current !== "number") throw new Error("The value is not a number; nothing was written");
        return current + by;
      });
      return result({ key: name, value: entry.value, version: entry.version });
    },
  );
}
