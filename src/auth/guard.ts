// Lets only principals through that have the scope of a route.
import { createMiddleware } from "hono/factory";
import { AppError } from "../http/errors.ts";
import type { Scope } from "./api-keys.ts";
import type { Authenticate } from "./keys.ts";
import type { PrincipalVariables } from "./principal.ts";

/** 401 without a valid key, 403 with one that lacks the scope (RFC 6750 §3.1). */
export function requireScope(authenticate: Authenticate, scope: Scope) {
  return createMiddleware<{ Variables: PrincipalVariables }>(async function scopeGuard(c, next) {
    const authorization = c.req.header("Authorization");
    const principal = await authenticate(authorization);
    if (principal === undefined) {
      const error = authorization === undefined ? "" : ', error="invalid_token"';
      throw new AppError("unauthenticated", undefined, {
        "WWW-Authenticate": `Bearer realm="mcp-sessions"${error}`,
      });
    }
    c.set("principal", principal);
    if (!principal.scopes.includes(scope)) {
      throw new AppError("forbidden", undefined, {
        "WWW-Authenticate": `Bearer realm="mcp-sessions", error="insufficient_scope", scope="${scope}"`,
      });
    }
    await next();
  });
}
