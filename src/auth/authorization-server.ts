// Asks the authorization server in another Worker what a token is worth, by its service binding.
import * as z from "zod";
import { audienceForms, hasExpired, type VerifiedClaims } from "./claims.ts";
import { Unreachable } from "./key-set.ts";
import type { AuthorizationServer, TokenConfig } from "./token-settings.ts";
import { refused, type Verdict } from "./verdict.ts";

// What OAuthAuthorizationServer.validateToken() of @cloudflare/workers-oauth-provider 1.2 answers.
const answerShape = z.object({
  audience: z.string(),
  expiresAt: z.number().optional(),
  scope: z.array(z.string()).optional(),
  userId: z.string().optional(),
  clientId: z.string().optional(),
  props: z.record(z.string(), z.unknown()).nullish().catch(undefined),
});

// As long as a fetch of keys may take. The other Worker runs beside this one.
const TIMEOUT_MS = 5000;

/** @throws Unreachable */
export async function validate(
  token: string,
  resource: string,
  config: TokenConfig,
  server: AuthorizationServer,
  now: Date,
): Promise<Verdict | VerifiedClaims> {
  const audience = config.audience ?? resource;
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("No answer in time")), TIMEOUT_MS);
  let answer: unknown;
  try {
    answer = await Promise.race([server.validateToken(audience, token), tooLate]);
  } catch {
    throw new Unreachable("binding");
  } finally {
    clearTimeout(timer);
  }
  if (answer === null || answer === undefined) return refused("unknown_token");
  const parsed = answerShape.safeParse(answer).data;
  if (parsed === undefined) throw new Unreachable("binding");
  if (!audienceForms(audience).includes(parsed.audience)) return refused("wrong_audience");
  if (hasExpired(parsed.expiresAt, now)) return refused("expired");
  return {
    issuer: config.issuers[0],
    subject: parsed.userId,
    clientId: parsed.clientId,
    scopes: parsed.scope ?? [],
    expiresAt: parsed.expiresAt,
    claims: parsed.props ?? {},
  };
}
