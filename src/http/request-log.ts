// One canonical log line for each request, and the headers that every response has.
import { createMiddleware } from "hono/factory";
import { matchedRoutes } from "hono/route";
import type { PrincipalVariables } from "../auth/principal.ts";
import { logOf } from "../log.ts";

export type RequestVariables = {
  requestId: string;
  sessionName?: string;
  /** Of an answer that may be stored. All others are `no-store`. */
  cacheControl?: string;
} & Partial<PrincipalVariables>;

const log = logOf("http", {
  info: {
    request: {
      meaning: "One line for each request, when its response begins.",
      fields: ["method", "route", "status", "duration_ms", "principal", "session", "request_id"],
    },
  },
});

/** Logs route, status, duration, principal and request id. The client's path and query are not logged. */
export const requestLog = createMiddleware<{ Variables: RequestVariables }>(
  async function requestLog(c, next) {
    const startedAt = Date.now();
    await next();
    const requestId = c.get("requestId");
    c.header("X-Request-Id", requestId);
    c.header("Cache-Control", c.get("cacheControl") ?? "no-store");
    log.info("request", {
      method: c.req.method,
      route: matchedRoutes(c).findLast(({ path }) => path !== "/*")?.path ?? "unmatched",
      status: c.res.status,
      duration_ms: Date.now() - startedAt,
      principal: c.get("principal")?.label,
      session: c.get("sessionName"),
      request_id: requestId,
    });
  },
);
