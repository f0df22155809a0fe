// Verifies access tokens that are JWTs (RFC 9068), and the assertions of Cloudflare Access.
import { decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { audienceForms, bearerOf, scopesOf, SKEW_SECONDS } from "./claims.ts";
import { createKeySet, type Fetch, Unreachable } from "./key-set.ts";
import { ourScopes } from "./scope-map.ts";
import type { AccessConfig, TokenConfig } from "./token-settings.ts";
import { refused, type TokenRefusal, type Verdict, type VerifyToken } from "./verdict.ts";

export interface VerifierDeps {
  fetch: Fetch;
  now: () => Date;
}

// Twice what issuers with very long lists of groups make. It must fit into a header.
export const MAX_TOKEN_CHARACTERS = 8192;

// Signatures by a private key alone. With a shared key, whoever checks a token could make one (RFC 8725 §3.1).
const ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" ");

/** The payload of a token, when it is a JWT of one of these issuers by its own word. */
export function claimedIssuer(token: string): string | undefined {
  try {
    const { iss } = decodeJwt(token);
    return typeof iss === "string" ? iss : undefined;
  } catch {
    return undefined;
  }
}

/** The payload, verified. @throws what jose throws, and Unreachable. */
async function verified(
  token: string,
  keys: JWTVerifyGetKey,
  issuer: string,
  audience: string,
  now: Date,
): Promise<{ payload: JWTPayload; type: string | undefined }> {
  const options = {
    algorithms: ALGORITHMS,
    issuer,
    audience: audienceForms(audience),
    requiredClaims: ["exp"],
    clockTolerance: SKEW_SECONDS,
    currentDate: now,
  };
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, options);
    return { payload, type: protectedHeader.typ };
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    // The token names none of several keys that fit: one of them must have signed it.
    for await (const key of error) {
      try {
        const { payload, protectedHeader } = await jwtVerify(token, key, options);
        return { payload, type: protectedHeader.typ };
      } catch (failure) {
        if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

// RFC 9068 §2.1 wants at+jwt. Most issuers write JWT, or nothing.
const ACCESS_TOKEN_TYPES = new Set([undefined, "jwt", "at+jwt"]);

const OTHER_USES = /^(?:id|refresh|offline)$/i;

/** Of the same issuer and for the same audience there are tokens that are not for access. */
function isAccessToken(payload: JWTPayload, type: string | undefined): boolean {
  return (
    ACCESS_TOKEN_TYPES.has(type?.toLowerCase().replace(/^application\//, "")) &&
    // OpenID Connect Core 1.0 §3.1.3.6: these stand in ID tokens. A nonce does, too, but Keycloak wrote it into others.
    !["at_hash", "c_hash"].some((claim) => claim in payload) &&
    // Cognito and Keycloak say it themselves.
    ![payload["token_use"], payload["typ"]].some((use) => typeof use === "string" && OTHER_USES.test(use)) &&
    // OpenID Connect Back-Channel Logout 1.0 §2.4.
    !("events" in payload)
  );
}

function verdictOfError(error: unknown): Verdict {
  if (error instanceof Unreachable) return { kind: "unavailable", source: error.source };
  return refused(reasonOf(error));
}

const reasonsByClaim: Record<string, TokenRefusal> = {
  iss: "wrong_issuer",
  aud: "wrong_audience",
  exp: "no_expiry",
  nbf: "not_yet_valid",
};

function reasonOf(error: unknown): TokenRefusal {
  if (error instanceof errors.JWTExpired) return "expired";
  if (error instanceof errors.JWTClaimValidationFailed) return reasonsByClaim[error.claim] ?? "malformed";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "bad_signature";
  if (error instanceof errors.JWKSNoMatchingKey) return "unknown_key";
  if (error instanceof errors.JOSEAlgNotAllowed) return "bad_algorithm";
  return "malformed";
}

/** Verifies JWTs of these issuers. */
export function createVerifyJwt(config: TokenConfig, { fetch, now }: VerifierDeps): VerifyToken {
  const keySets = new Map(
    config.issuers.map((issuer) => [issuer, createKeySet(issuer, config.jwksUri, { fetch, now })]),
  );
  return async (token, resource) => {
    const issuer = claimedIssuer(token);
    const keys = issuer === undefined ? undefined : keySets.get(issuer);
    if (issuer === undefined || keys === undefined)
      return refused(issuer === undefined ? "malformed" : "wrong_issuer");
    try {
      const { payload, type } = await verified(token, keys, issuer, config.audience ?? resource, now());
      if (!isAccessToken(payload, type)) return refused("not_an_access_token");
      const theirs = scopesOf(payload, config.scopeClaim);
      return await bearerOf(
        {
          issuer,
          subject: payload.sub,
          // RFC 9068 §2.2, and OpenID Connect before it.
          clientId: payload["client_id"] ?? payload["azp"],
          scopes: theirs,
          expiresAt: payload.exp,
          claims: payload,
        },
        ourScopes(theirs, config.scopeMap),
      );
    } catch (error) {
      return verdictOfError(error);
    }
  };
}

/** Verifies what Cloudflare Access adds to a request that it lets in (`Cf-Access-Jwt-Assertion`). */
export function createVerifyAccess(config: AccessConfig, { fetch, now }: VerifierDeps): VerifyToken {
  const { teamDomain, audience, scopes } = config;
  const keys = createKeySet(teamDomain, `${teamDomain}/cdn-cgi/access/certs`, { fetch, now });
  return async (token) => {
    if (token.length > MAX_TOKEN_CHARACTERS) return refused("too_large");
    try {
      const { payload } = await verified(token, keys, teamDomain, audience, now());
      // A service token has no subject, but the name that the operator has given it.
      const service = payload["common_name"];
      return await bearerOf(
        {
          issuer: teamDomain,
          subject:
            payload.sub === "" && typeof service === "string" && service !== ""
              ? `service:${service}`
              : payload.sub,
          clientId: undefined,
          scopes,
          expiresAt: payload.exp,
          claims: payload,
        },
        scopes,
      );
    } catch (error) {
      return verdictOfError(error);
    }
  };
}
