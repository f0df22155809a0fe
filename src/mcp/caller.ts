// Who is asking, as the author's tools and the SDK get it. Never with the key or the token.
import type { AuthInfo } from "@modelcontextprotocol/server";
import { isScopeToken, metadataUrlOf, scopesToAskFor } from "../auth/challenge.ts";
import type { Principal } from "../auth/principal.ts";
import { isScope } from "../auth/scope-map.ts";
import type { TokenConfig } from "../auth/token-settings.ts";
import type { Caller, RequireScopes } from "./context.ts";

/** As the tools of the author see it. */
export function shownCaller({ name, scopes, token }: Principal): Caller {
  if (token === undefined) return { kind: "key", name, scopes };
  const { issuer, subject, clientId, claims, expiresAt } = token;
  // A scope of the token that has a name of ours counts as OAUTH_SCOPES says, and not by its name.
  const theirs = token.scopes.filter((scope) => !isScope(scope));
  return {
    kind: "person",
    name,
    issuer,
    subject,
    clientId,
    scopes: [...scopes, ...theirs],
    claims,
    expiresAt,
  };
}

/** @param url of the request. @param tokens undefined: no token is taken, and nobody can ask for more scopes. */
export function authInfoOf(caller: Caller, url: string, tokens: TokenConfig | undefined): AuthInfo {
  return {
    token: "",
    clientId: (caller.kind === "person" ? caller.clientId : undefined) ?? caller.name,
    scopes: [...caller.scopes],
    ...(tokens !== undefined && { resourceMetadataUrl: metadataUrlOf(url) }),
  };
}

/** @throws TypeError for a text that is no scope of OAuth. */
export function createRequireScopes(caller: Caller, tokens: TokenConfig | undefined): RequireScopes {
  const namesOf = (scope: string) =>
    isScope(scope) && tokens !== undefined ? scopesToAskFor(scope, tokens) : [scope];
  return (...scopes) => {
    for (const scope of scopes)
      if (!isScopeToken(scope)) throw new TypeError(`This is no scope: ${JSON.stringify(scope)}`);
    return () => {
      const missing = scopes.filter((scope) => !caller.scopes.includes(scope));
      if (missing.length === 0) return undefined;
      // All that the call needs, at once: a person is asked once, and the new token still opens /mcp.
      const [first, ...others] = new Set(["mcp", ...scopes].flatMap(namesOf));
      return {
        scopes: first === undefined ? scopes : [first, ...others],
        errorDescription: `This call needs the scope ${missing.join(" and ")}`,
      };
    };
  };
}
