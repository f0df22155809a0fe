// The authorization server, by the library, with one rule of ours: a grant lives as long as the key that made it.
import { OAuthAuthorizationServer, OAuthError } from "@cloudflare/workers-oauth-provider";
import { scopes } from "mcp-sessions/auth";
import type { Granted, Keyring } from "./keyring.ts";
import { log } from "./log.ts";
import type { Env, Settings } from "./settings.ts";

const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 24 * HOUR_SECONDS;

export function createAuthorizationServer({ issuer, resources }: Settings, keyring: Keyring) {
  return new OAuthAuthorizationServer<Env>({
    issuer,
    resources,
    defaultResource: resources[0],
    clientRegistrationEndpoint: "/oauth/register",
    clientIdMetadataDocumentEnabled: true,
    scopesSupported: [...scopes],
    accessTokenTTL: HOUR_SECONDS,
    // A month without use ends a grant. Use does not: the key decides, and it is asked each time.
    refreshTokenTTL: 30 * DAY_SECONDS,
    refreshTokenIdleTTL: 30 * DAY_SECONDS,
    async tokenExchangeCallback({ userId, props, requestedScope }) {
      const now = await keyring.scopesNow(userId, grantedBy(props));
      if (now.length === 0)
        throw new OAuthError("invalid_grant", { description: "The key that granted this is not valid now" });
      return { accessTokenScope: requestedScope.filter((scope) => now.some((own) => own === scope)) };
    },
    onError({ code, status, internal }) {
      log("refused", { code, status, reason: `${internal.category}.${internal.reason}` });
    },
  });
}

/** What the main Worker is told of a token; null when it is none, or when its key is gone. */
export async function validateToken(
  server: OAuthAuthorizationServer<Env>,
  keyring: Keyring,
  { resource, token, env }: { resource: string; token: string; env: Env },
) {
  const valid = await server.validateToken(resource, token, env);
  if (valid === null) return null;
  const now = await keyring.scopesNow(valid.userId, grantedBy(valid.props));
  if (now.length === 0) return null;
  return { ...valid, props: {}, scope: valid.scope.filter((scope) => now.some((own) => own === scope)) };
}

function grantedBy(props: unknown): Granted {
  const key = typeof props === "object" && props !== null && "key" in props ? props.key : undefined;
  return { key: typeof key === "string" ? key : "" };
}
