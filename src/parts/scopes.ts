// Keys, tokens and Cloudflare Access as a guard, for an app that has no authentication of its own.
import type { MiddlewareHandler } from "hono";
import type { Scope } from "../auth/api-keys.ts";
import type { PrincipalVariables } from "../auth/principal.ts";
import { authenticationIn } from "./authentication.ts";
import { answeringGuard } from "./guard.ts";
import { fromEnv } from "./per-env.ts";

/**
 * Lets only requests through that present a key of API_KEYS, a token of OAUTH_ISSUERS or an assertion of Cloudflare Access with a
 * scope, as the variables say. Answers others itself: 401, 403, and 503 while nobody can say what a token is worth. Then
 * `principalOf(c)` is whose sessions these are.
 * @throws ConfigurationError at a request, while a variable is wrong.
 */
export function requireScope(scope: Scope): MiddlewareHandler<{ Variables: PrincipalVariables }> {
  return fromEnv((env) => answeringGuard(authenticationIn(env), scope));
}
