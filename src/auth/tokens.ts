// Says what a token is worth: a JWT of an issuer by its keys, any other by who can say it.
import { validate } from "./authorization-server.ts";
import { bearerOf, type VerifiedClaims } from "./claims.ts";
import { introspect } from "./introspection.ts";
import { claimedIssuer, createVerifyJwt, MAX_TOKEN_CHARACTERS, type VerifierDeps } from "./jwt.ts";
import { Unreachable } from "./key-set.ts";
import { ourScopes } from "./scope-map.ts";
import type { TokenConfig } from "./token-settings.ts";
import { refused, type Verdict, type VerifyToken } from "./verdict.ts";

export function createVerifyToken(config: TokenConfig, deps: VerifierDeps): VerifyToken {
  const verifyJwt = createVerifyJwt(config, deps);
  const ask = whoKnows(config, deps);

  return async (token, resource) => {
    if (token.length > MAX_TOKEN_CHARACTERS) return refused("too_large");
    const issuer = claimedIssuer(token);
    const isOfIssuer = issuer !== undefined && config.issuers.includes(issuer);
    if (isOfIssuer || ask === undefined) return verifyJwt(token, resource);
    try {
      const answer = await ask(token, resource);
      return "kind" in answer ? answer : await bearerOf(answer, ourScopes(answer.scopes, config.scopeMap));
    } catch (error) {
      if (error instanceof Unreachable) return { kind: "unavailable", source: error.source };
      throw error;
    }
  };
}

type Ask = (token: string, resource: string) => Promise<Verdict | VerifiedClaims>;

/** Who is asked about a token that is no JWT of the issuers; undefined when nobody is. */
function whoKnows(config: TokenConfig, deps: VerifierDeps): Ask | undefined {
  const { introspection, authorizationServer: server } = config;
  if (server !== undefined)
    return async (token, resource) => validate(token, resource, config, server, deps.now());
  if (introspection !== undefined)
    return async (token, resource) => introspect(token, resource, config, introspection, deps);
  return undefined;
}
