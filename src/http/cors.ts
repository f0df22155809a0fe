// Which web pages may call the MCP endpoint (MCP 2025-11-25, transports: servers must validate Origin).
import { cors } from "hono/cors";
import { createMiddleware } from "hono/factory";
import { AppError } from "./errors.ts";
import { DEGRADED_HEADER } from "../session/degraded.ts";
import { SESSION_HEADER, VERSION_HEADER } from "../session/protocol.ts";

const loopback = ["localhost", "127.0.0.1", "[::1]"];

function isLocal(address: string): boolean {
  // What is no address costs a request a tenth of its time.
  if (address === "") return false;
  const { protocol, hostname } = URL.parse(address) ?? {};
  return (protocol === "http:" || protocol === "https:") && loopback.includes(hostname ?? "");
}

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

// What clients of both eras send: docs/clients.md. `Mcp-Param-` begins the names of headers that tools choose (MCP
// 2026-07-28, transports), so those are allowed by their prefix.
const sentHeaders = [
  "Accept",
  "Authorization",
  "Baggage",
  "Content-Type",
  "DPoP",
  "Last-Event-ID",
  SESSION_HEADER,
  VERSION_HEADER,
  "Mcp-Method",
  "Mcp-Name",
  "Traceparent",
  "Tracestate",
  "X-API-Key",
];
const PARAMETER_HEADER = /^mcp-param-[!#$%&'*+.^_`|~\w-]+$/i;

const readHeaders = [
  SESSION_HEADER,
  DEGRADED_HEADER,
  VERSION_HEADER,
  "Allow",
  "Retry-After",
  "WWW-Authenticate",
  "X-Request-Id",
];

export interface CorsOptions {
  allowedOrigins: readonly string[];
  methods: readonly string[];
}

/** Answers preflights, and lets allowed pages read every response, refusals among them. */
export function mcpCors({ allowedOrigins, methods }: CorsOptions) {
  const allowing = (parameters: string[]) =>
    cors({
      origin: (origin, c) => (isAllowed(origin, c.req.url, allowedOrigins) ? origin : null),
      allowMethods: [...methods],
      allowHeaders: [...sentHeaders, ...parameters],
      exposeHeaders: readHeaders,
      maxAge: 86_400,
    });
  const always = allowing([]);
  return createMiddleware(async function pageAccess(c, next) {
    if (c.req.method !== "OPTIONS") return always(c, next);
    const asked = c.req.header("Access-Control-Request-Headers") ?? "";
    const parameters = asked.split(",").flatMap((name) => PARAMETER_HEADER.exec(name.trim()) ?? []);
    c.header("Allow", [...methods, "OPTIONS"].join(", "));
    return allowing(parameters)(c, next);
  });
}
