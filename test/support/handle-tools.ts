// A tool for each verb of handles.
import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { HandleError, type Handles } from "../../src/mcp/context.ts";

const handle = z.string();
const value = z.any();

export function registerHandleTools(server: McpServer, handles: Handles): void {
  const tool = <Shape extends z.ZodRawShape>(
    name: string,
    shape: Shape,
    work: (input: z.output<z.ZodObject<Shape>>) => Promise<unknown>,
  ) =>
    server.registerTool(`handle_${name}`, { inputSchema: z.object(shape) }, async (input) => {
      try {
        return says({ is: (await work(input)) ?? null });
      } catch (error) {
        if (!(error instanceof HandleError)) throw error;
        return says({ refused: error.code, message: error.message });
      }
    });

  tool(
    "make",
    { kind: z.string(), value, ttl: z.number().optional(), sliding: z.boolean().optional() },
    (input) => handles.make(input.kind, input.value, { ttlSeconds: input.ttl, sliding: input.sliding }),
  );
  tool("read", { handle }, (input) => handles.read(input.handle));
  tool("change", { handle, value, if_version: z.int().optional() }, (input) =>
    handles.change(input.handle, input.value, { ifVersion: input.if_version }),
  );
  tool("increment", { handle }, (input) =>
    handles.update(input.handle, ({ value: current }) => Number(current) + 1),
  );
  tool("end", { handle }, (input) => handles.end(input.handle));
  tool("list", { kind: z.string().optional() }, (input) => handles.list(input));
}

const says = (structuredContent: Record<string, unknown>) => ({
  structuredContent,
  content: [{ type: "text" as const, text: JSON.stringify(structuredContent) }],
});
