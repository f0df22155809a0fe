// What the routes of operators and monitors share: their guard, and how they answer for errors.
import { Hono, type MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import { errorResponse } from "../http/errors.ts";
import { refusalOf } from "../http/refusal.ts";
import type { RequestVariables } from "../http/request-log.ts";
import { ConfigurationError } from "../settings.ts";
import { requestIdOf } from "./request-id.ts";

export interface GuardOption {
  /** Refuses who may not ask. Left out: a key of API_KEYS with the scope of these routes is needed. */
  guard?: MiddlewareHandler;
}

export type RoutesEnv = { Variables: RequestVariables };

/** No answer may be stored, but for one that says so. */
export const cacheControl = createMiddleware<RoutesEnv>(async function cacheControl(c, next) {
  await next();
  c.header("Cache-Control", c.get("cacheControl") ?? "no-store");
});

/** Routes that answer their own errors with a code and a request id. A wrong configuration is the app's to answer. */
export function createRoutes(guard: MiddlewareHandler): Hono<RoutesEnv> {
  const app = new Hono<RoutesEnv>({ strict: false });
  app.use(cacheControl);
  app.use(guard);
  app.onError((error, c) => {
    if (error instanceof ConfigurationError) throw error;
    const id = requestIdOf(c);
    return errorResponse(refusalOf(error, c), id);
  });
  return app;
}
