// Says what a token is worth: a JWT of an issuer by its keys, any other by who can say it.
import { validate } from "./authorization-server.ts";
import { bearerOf, scopesOf } from "./claims.ts";
import { introspect } from "./introspection.ts";
import { claimedIssuer, createVerifyJwt, MAX_TOKEN_CHARACTERS, type VerifierDeps } from "./jwt.ts";
import { Unreachable } from "./key-set.ts";
import { ourScopes } from "./scope-map.ts";
import type { TokenConfig } from "./token-settings.ts";
import { refused, type Verdict, type VerifyToken } from "./verdict.ts";

export function createVerifyToken(config: TokenConfig, deps: VerifierDeps): VerifyToken {
  const verifyJwt = createVerifyJwt(config, deps);
  const { introspection, authorizationServer: server } = config;

  async function verifyOpaque(token: string, resource: string): Promise<Verdict> {
    if (server !== undefined) {
      const answer = await validate(token, resource, config, server, deps.now());
      return "kind" in answer ? answer : bearerOf(answer, ourScopes(answer.scopes, config.scopeMap));
    }
    if (introspection !== undefined) {
      const answer = await introspect(token, resource, config, introspection, deps);
      if ("kind" in answer) return answer;
      const theirs = scopesOf(answer.claims, config.scopeClaim);
      return bearerOf({ ...answer, scopes: theirs }, ourScopes(theirs, config.scopeMap));
    }
    return refused("malformed");
  }

  return async (token, resource) => {
    if (token.length > MAX_TOKEN_CHARACTERS) return refused("too_large");
    const issuer = token.split(".").length === 3 ? claimedIssuer(token) : undefined;
    const isOfIssuer = issuer !== undefined && config.issuers.includes(issuer);
    if (isOfIssuer || (server === undefined && introspection === undefined))
      return verifyJwt(token, resource);
    try {
      return await verifyOpaque(token, resource);
    } catch (error) {
      if (error instanceof Unreachable) return { kind: "unavailable", source: error.source };
      throw error;
    }
  };
}
