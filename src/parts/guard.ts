// The guard in an app that does not know its refusals: it answers them itself.
import type { MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import type { Scope } from "../auth/api-keys.ts";
import { type Authentication, requireScope } from "../auth/guard.ts";
import { AppError, errorResponse } from "../http/errors.ts";
import { mcpRefusal } from "../session/protocol.ts";
import { requestIdOf } from "./request-id.ts";

/** The scope mcp is that of the MCP endpoint: its clients read refusals in their own form. */
export function answeringGuard(authentication: Authentication, scope: Scope): MiddlewareHandler {
  const guard = requireScope(authentication, scope);
  const bodyOf = (error: AppError) =>
    scope === "mcp" ? mcpRefusal(error, authentication.tokens !== undefined) : undefined;
  return createMiddleware(async function answeringScopeGuard(c, next) {
    // What the guard logs names it.
    const id = requestIdOf(c);
    try {
      return await guard(c, next);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return errorResponse(error, id, bodyOf(error));
    }
  });
}
