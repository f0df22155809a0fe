// Lets only principals through that have the scope of a route.
import { createMiddleware } from "hono/factory";
import { AppError } from "../http/errors.ts";
import type { Scope } from "./api-keys.ts";
import { readCredentials } from "./credentials.ts";
import type { Authenticate } from "./keys.ts";
import type { PrincipalVariables } from "./principal.ts";

const REALM = 'realm="mcp-sessions"';

/** 401 without a valid key, 403 with one that lacks the scope (RFC 6750 §3.1). */
export function requireScope(authenticate: Authenticate, scope: Scope) {
  return createMiddleware<{ Variables: PrincipalVariables }>(async function scopeGuard(c, next) {
    const credentials = readCredentials(c.req.raw);
    if (credentials === undefined) throw unauthenticated();
    if ("problem" in credentials) throw unauthenticated(credentials.problem);
    const principal = await authenticate(credentials.key);
    if (principal === undefined) throw unauthenticated("A valid key is required");
    c.set("principal", principal);
    if (!principal.scopes.includes(scope)) {
      throw new AppError("forbidden", undefined, {
        "WWW-Authenticate": `Bearer ${REALM}, error="insufficient_scope", scope="${scope}"`,
      });
    }
    await next();
  });
}

/** @param problem left out when nothing was presented: a challenge has no error then (RFC 6750 §3). */
function unauthenticated(problem?: string): AppError {
  const error = problem === undefined ? "" : ', error="invalid_token"';
  // Bearer first: MCP clients read the first challenge. Monitors that know Basic alone wait for the second.
  return new AppError("unauthenticated", problem, {
    "WWW-Authenticate": `Bearer ${REALM}${error}, Basic ${REALM}, charset="UTF-8"`,
  });
}
