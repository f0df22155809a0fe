// The tools of state-tools.ts for clients without a session. The values stand in a handle: the first tool hands it out, and every
// tool takes it back.
import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { Handles, Json } from "../mcp/context.ts";
import { result } from "./result.ts";

const KIND = "state";

type Values = Record<string, Json>;

const handle = z.string().describe("The handle that session_state_set has returned");
const key = z.string().min(1).max(256).describe("The name of the value");

export function registerHandleTools(server: McpServer, handles: Handles): void {
  /** Changes the values atomically. */
  const change = async (id: string, next: (values: Values, version: number) => Values) => {
    const entry = await handles.update(id, ({ value, kind, version }) =>
      next(valuesOf(value, kind), version),
    );
    return entry.version;
  };

  server.registerTool(
    "session_state_get",
    { description: "Read a value that was kept in a handle", inputSchema: z.object({ handle, key }) },
    async (input) => {
      const entry = await handles.read(input.handle);
      if (entry === undefined) throw new Error("There is no such handle. Keep the values in a new one");
      const values = valuesOf(entry.value, entry.kind);
      const found = Object.hasOwn(values, input.key);
      return result({ found, value: found ? values[input.key] : null, version: entry.version });
    },
  );

  server.registerTool(
    "session_state_set",
    {
      description: "Keep a JSON value. Without a handle it makes one, for all calls that follow",
      inputSchema: z.object({
        handle: handle.optional(),
        key,
        // What comes from a body is JSON. To look at each value once more would take most of the time of a large one.
        value: z.any(),
        if_version: z.int().min(1).optional().describe("Only if the handle still has this version"),
      }),
    },
    async ({ handle: id, key: name, value, if_version: ifVersion }) => {
      if (id === undefined) {
        const made = await handles.make(KIND, { [name]: value }, { sliding: true });
        return result({ handle: made.handle, key: name, version: made.version });
      }
      const version = await change(id, (values, current) => {
        if (current !== (ifVersion ?? current)) throw new Error("The values have been changed meanwhile");
        return { ...values, [name]: value };
      });
      return result({ handle: id, key: name, version });
    },
  );

  server.registerTool(
    "session_state_delete",
    { description: "Delete a value that was kept in a handle", inputSchema: z.object({ handle, key }) },
    async (input) => {
      let deleted = false;
      await change(input.handle, (values) => {
        deleted = Object.hasOwn(values, input.key);
        const { [input.key]: _, ...others } = values;
        return others;
      });
      return result({ deleted });
    },
  );

  server.registerTool(
    "session_state_increment",
    {
      description: "Add to a number that is kept in a handle, also when others do so at the same time",
      inputSchema: z.object({ handle, key, by: z.int().default(1) }),
    },
    async (input) => {
      let value = 0;
      const version = await change(input.handle, (values) => {
        const current = Object.hasOwn(values, input.key) ? values[input.key] : 0;
        if (typeof current !== "number") throw new Error("The value is not a number; nothing was written");
        value = current + input.by;
        return { ...values, [input.key]: value };
      });
      return result({ key: input.key, value, version });
    },
  );

  server.registerTool(
    "session_state_end",
    { description: "End a handle: what it keeps is gone", inputSchema: z.object({ handle }) },
    async (input) => result({ ended: await handles.end(input.handle) }),
  );
}

/** @throws Error when a tool of another kind has made the handle */
function valuesOf(value: Json, kind: string): Values {
  if (kind !== KIND || typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error("The handle is not of these tools");
  return value;
}
