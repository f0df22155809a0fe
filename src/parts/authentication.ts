// How callers of an environment show who they are: by keys, by tokens and by Cloudflare Access, as its variables say.
import type { ApiKey } from "../auth/api-keys.ts";
import type { Authentication } from "../auth/guard.ts";
import { createVerifyAccess } from "../auth/jwt.ts";
import { createAuthenticate } from "../auth/keys.ts";
import { authSettings } from "../auth/settings.ts";
import type { AccessConfig, TokenConfig } from "../auth/token-settings.ts";
import { createVerifyToken } from "../auth/tokens.ts";
import { readSettings } from "../settings.ts";
import { perEnv } from "./per-env.ts";

export interface AuthConfig {
  apiKeys: readonly ApiKey[];
  tokens: TokenConfig | undefined;
  access: AccessConfig | undefined;
}

export function authenticationOf({ apiKeys, tokens, access }: AuthConfig, now: () => Date): Authentication {
  // On Workers fetch must be called as a function of the global object.
  const verifier = { fetch: (url: string, init: RequestInit) => fetch(url, init), now };
  return {
    authenticate: createAuthenticate(apiKeys),
    tokens: tokens && { config: tokens, verify: createVerifyToken(tokens, verifier) },
    verifyAccess: access && createVerifyAccess(access, verifier),
  };
}

/** All guards of an environment share the keys of its issuers. @throws ConfigurationError */
export const authenticationIn = perEnv((env) =>
  authenticationOf(readSettings(authSettings, env), () => new Date()),
);
