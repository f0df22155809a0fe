// The keys of API_KEYS as a guard, for an app that has no authentication of its own.
import type { MiddlewareHandler } from "hono";
import type { Scope } from "../auth/api-keys.ts";
import { createAuthenticate } from "../auth/keys.ts";
import type { PrincipalVariables } from "../auth/principal.ts";
import { authSettings } from "../auth/settings.ts";
import { readSettings } from "../settings.ts";
import { answeringGuard } from "./guard.ts";
import { fromEnv, perEnv } from "./per-env.ts";

const authenticationIn = perEnv((env) => ({
  authenticate: createAuthenticate(readSettings(authSettings, env).apiKeys),
  tokens: undefined,
  verifyAccess: undefined,
}));

/**
 * Lets only requests through that present a key of API_KEYS with a scope; no token is taken. Answers others itself: 401 or 403.
 * Then `principalOf(c)` is the name of the key.
 * @throws ConfigurationError at a request, while a variable is wrong.
 */
export function requireKey(scope: Scope): MiddlewareHandler<{ Variables: PrincipalVariables }> {
  return fromEnv((env) => answeringGuard(authenticationIn(env), scope));
}
