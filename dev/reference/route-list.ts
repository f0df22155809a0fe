// Every route of the app, with what it says of itself. The app is the real one; nothing is asked of it.
import { createApp } from "../../src/app.ts";
import { createDeps } from "../../src/deps.ts";
import { readConfig } from "../../src/env.ts";
import type { ErrorCode } from "../../src/http/errors.ts";
import { type Operation, operations, refusalsOf } from "../../src/http/openapi.ts";
import { createServerFactory } from "../../src/mcp/server-factory.ts";

export interface Route {
  method: string;
  path: string;
  operation: Operation;
  refusals: readonly ErrorCode[];
}

/** What an app knows of its routes: each handler and middleware with its method and path. */
export type RegisteredRoutes = readonly { method: string; path: string; handler: object }[];

export const titleOf = ({ method, path }: Pick<Route, "method" | "path">) => `${method} ${path}`;

/** The routes of the Worker, as Hono has registered them. */
export function registeredRoutes(): RegisteredRoutes {
  const config = readConfig({
    DATABASE_URL: "postgresql://role:password@ep.example.com/database",
    API_KEYS: "reference:health:0123456789abcdefghijklmn",
    OAUTH_ISSUERS: "https://issuer.example.com",
    MCP_STREAMS: "true",
    MCP_HANDLES: "true",
    MCP_TASKS: "true",
  });
  const server = { name: "reference", version: "0.0.0", register() {} };
  return createApp({
    ...createDeps(config),
    serverName: server.name,
    createServer: createServerFactory(server, {}),
    // They have no route of their own.
    tasks: undefined,
  }).routes;
}

/** Those that describe themselves, in the order of the app; and a problem for each other one. */
export function readRoutes(registered: RegisteredRoutes): { routes: Route[]; problems: string[] } {
  const routes = registered.flatMap(({ method, path, handler }) => {
    const operation = operations.get(handler);
    return operation === undefined ? [] : [{ method, path, operation, refusals: refusalsOf(operation) }];
  });
  const isDescribed = (method: string, path: string) =>
    routes.some((route) => route.path === path && (method === "ALL" || route.method === method));
  const undescribed = registered
    // Middleware of every path.
    .filter(({ method, path }) => path !== "/*" && !isDescribed(method, path))
    .map((route) => `The route ${titleOf(route)} has no description: give it a documentedRoute`);
  return { routes, problems: [...new Set(undescribed)] };
}
