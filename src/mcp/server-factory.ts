// Makes a server of the author's definition for one request. What it advertises is what this Worker can do.
import { McpServer } from "@modelcontextprotocol/server";
import type * as z from "zod";
import type { ServerContext, ServerDefinition } from "./context.ts";
import { speakInWords } from "./sdk-errors.ts";

/** What the Worker knows of a request; the definition's own variables come from the factory. */
export type RequestContext = Omit<ServerContext, "env">;

export interface ServerHooks {
  /** Gets the server before anything is registered. */
  prepare?: ((server: McpServer) => void) | undefined;
  /** Reads what a client has brought back of a call with questions, unless the author's options do. */
  readState?: ((text: string) => Promise<unknown>) | undefined;
}

/** @throws whatever the author's `options` or `register` throws. */
export type ServerFactory = (request: RequestContext, hooks?: ServerHooks) => Promise<McpServer>;

/** @param env the values of the definition's variables. */
export function createServerFactory<Shape extends z.ZodRawShape>(
  { name, version, title, options, register }: ServerDefinition<Shape>,
  env: z.output<z.ZodObject<Shape>>,
): ServerFactory {
  const info = { name, version, ...(title !== undefined && { title }) };
  return async (request, { prepare, readState } = {}) => {
    const context: ServerContext<Shape> = { ...request, env };
    const chosen = typeof options === "function" ? options(context) : options;
    const server = new McpServer(info, {
      ...(readState !== undefined && { requestState: { verify: readState } }),
      ...chosen,
      capabilities: { logging: {}, ...chosen?.capabilities },
    });
    prepare?.(server);
    await register(server, context);
    advertiseNoChanges(server);
    speakInWords(server);
    return server;
  };
}

/** Nothing can tell a client that a list or a resource has changed: no stream stays open between requests. */
function advertiseNoChanges({ server }: McpServer): void {
  const { tools, prompts, resources } = server.getCapabilities();
  server.registerCapabilities({
    ...(tools !== undefined && { tools: { ...tools, listChanged: false } }),
    ...(prompts !== undefined && { prompts: { ...prompts, listChanged: false } }),
    ...(resources !== undefined && { resources: { ...resources, listChanged: false, subscribe: false } }),
  });
}
