// Asks the first issuer what a token is worth (RFC 7662). Nothing is kept: a revoked token is refused at once.
import * as z from "zod";
import { audienceForms, hasExpired, scopesOf, SKEW_SECONDS, type VerifiedClaims } from "./claims.ts";
import { fetchBounded, Unreachable } from "./key-set.ts";
import type { VerifierDeps } from "./jwt.ts";
import type { TokenConfig } from "./token-settings.ts";
import { refused, type Verdict } from "./verdict.ts";

const answerShape = z.looseObject({ active: z.boolean() });

// RFC 6749 §2.3.1: encoded as a form before they are joined.
const encoded = (text: string) => new URLSearchParams([["", text]]).toString().slice(1);

const basic = (id: string, secret: string) => `Basic ${btoa(`${encoded(id)}:${encoded(secret)}`)}`;

/** @throws Unreachable */
export async function introspect(
  token: string,
  resource: string,
  config: TokenConfig,
  { url, clientId, clientSecret }: NonNullable<TokenConfig["introspection"]>,
  { fetch, now }: VerifierDeps,
): Promise<Verdict | VerifiedClaims> {
  const response = await fetchBounded(fetch, "introspection", url, {
    method: "POST",
    headers: {
      Accept: "application/json",
      "Content-Type": "application/x-www-form-urlencoded",
      Authorization: basic(clientId, clientSecret),
    },
    body: new URLSearchParams({ token, token_type_hint: "access_token" }).toString(),
  });
  const answer = answerShape.safeParse(await response.json().catch(() => undefined)).data;
  // Also when our own secret is refused: that says nothing of the token.
  if (response.status !== 200 || answer === undefined) throw new Unreachable("introspection");
  if (!answer.active) return refused("unknown_token");

  const { iss, aud, exp, nbf, sub, client_id: client, token_type: type } = answer;
  const [issuer] = config.issuers;
  if (iss !== undefined && iss !== issuer) return refused("wrong_issuer");
  const accepted = audienceForms(config.audience ?? resource);
  const audiences: unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!accepted.some((form) => audiences.includes(form))) return refused("wrong_audience");
  if (type === "refresh_token") return refused("not_an_access_token");
  if (hasExpired(exp, now())) return refused("expired");
  // null is how some servers leave it out.
  const isValidYet = nbf == null || (typeof nbf === "number" && nbf - SKEW_SECONDS <= now().getTime() / 1000);
  if (!isValidYet) return refused("not_yet_valid");
  return {
    issuer,
    subject: sub,
    clientId: client,
    scopes: scopesOf(answer, config.scopeClaim),
    expiresAt: exp,
    claims: answer,
  };
}
