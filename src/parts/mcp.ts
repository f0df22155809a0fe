// The MCP endpoint for a server definition, for an app that has other routes and an authentication of its own.
import { type Context, Hono, type MiddlewareHandler } from "hono";
import type * as z from "zod";
import type { Principal } from "../auth/principal.ts";
import { mcpCors, originGuard } from "../http/cors.ts";
import { httpSettings } from "../http/settings.ts";
import type { ServerDefinition } from "../mcp/context.ts";
import { mcpEndpoint } from "../mcp/endpoint.ts";
import { mcpMethodsOf } from "../mcp/revisions.ts";
import { type Eras, mcpSettings } from "../mcp/settings.ts";
import { ConfigurationError, readSettings } from "../settings.ts";
import { fromEnv, pass } from "./per-env.ts";
import { serverParts } from "./server-parts.ts";
import { type McpSessionsOptions, refusedAsJsonRpc, sessionGate } from "./sessions.ts";
import { streamsIn } from "./streams.ts";

export interface McpRoutesOptions extends McpSessionsOptions {
  /**
   * Runs before the session gate, and refuses who may not ask, as `requireScope("mcp")` does. Left out: what stands before the
   * routes has done that.
   */
  guard?: MiddlewareHandler;
}

/**
 * Serves `server` in sessions: `app.route("/mcp", mcpRoutes(server, { principal }))`. Web pages of ALLOWED_ORIGINS may call it.
 * @throws ConfigurationError at a request, while a variable is wrong.
 */
export function mcpRoutes<Shape extends z.ZodRawShape>(
  server: ServerDefinition<Shape>,
  { principal, guard = pass }: McpRoutesOptions,
): Hono {
  const partsIn = serverParts(server);
  const app = new Hono();
  app.use(fromEnv((env) => mcpCors({ ...readSettings(httpSettings, env), methods: methodsIn(env) })));
  app.use(fromEnv((env) => originGuard(readSettings(httpSettings, env).allowedOrigins)));
  app.all(
    "/",
    guard,
    sessionGate({ principal, areStreamsReplayed: true, erasIn }),
    fromEnv((env) => mcpEndpoint({ ...partsIn(env), eras: erasIn(env), principal: callerBy(principal) })),
  );
  app.onError((error, c) => {
    if (error instanceof ConfigurationError) throw error;
    return refusedAsJsonRpc(error, c);
  });
  return app;
}

const erasIn = (env: object): Eras => readSettings(mcpSettings, env).eras;
const methodsIn = (env: object) => mcpMethodsOf(erasIn(env), streamsIn(env).streams !== undefined);

/** The caller that the app has found, by the name that it gives. */
const callerBy =
  (nameOf: McpRoutesOptions["principal"]) =>
  (c: Context): Principal => {
    const name = nameOf(c);
    const known: Principal | undefined = c.get("principal");
    return known?.name === name ? known : { name, scopes: ["mcp"], label: name };
  };
