// Which web pages may call the MCP endpoint (MCP 2025-11-25, transports: servers must validate Origin).
import { cors } from "hono/cors";
import { createMiddleware } from "hono/factory";
import { AppError } from "./errors.ts";
import { DEGRADED_HEADER } from "../session/degraded.ts";
import { SESSION_HEADER, VERSION_HEADER } from "../session/protocol.ts";

const loopback = ["localhost", "127.0.0.1", "[::1]"];

const isLocal = (address: string) => loopback.includes(URL.parse(address)?.hostname ?? "");

/** Whether an origin is allowed. Pages on localhost may call a Worker on localhost. */
function isAllowed(origin: string, url: string, allowed: readonly string[]): boolean {
  if (allowed.includes(origin)) return true;
  return isLocal(origin) && isLocal(url);
}

/** 403 for a request from a page that is not allowed. A request without Origin does not come from a page. */
export function originGuard(allowed: readonly string[]) {
  return createMiddleware(async function originCheck(c, next) {
    const origin = c.req.header("Origin");
    if (origin !== undefined && !isAllowed(origin, c.req.url, allowed))
      throw new AppError("origin_not_allowed");
    await next();
  });
}

/** Answers preflights, and lets allowed pages read the responses. */
export function mcpCors(allowed: readonly string[]) {
  return cors({
    origin: (origin, c) => (isAllowed(origin, c.req.url, allowed) ? origin : null),
    allowMethods: ["POST", "DELETE"],
    allowHeaders: ["Authorization", "Content-Type", SESSION_HEADER, VERSION_HEADER, "Mcp-Method", "Mcp-Name"],
    exposeHeaders: [
      SESSION_HEADER,
      DEGRADED_HEADER,
      VERSION_HEADER,
      "X-Request-Id",
      "WWW-Authenticate",
      "Retry-After",
    ],
    maxAge: 86_400,
  });
}
