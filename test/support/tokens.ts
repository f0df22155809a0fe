// An issuer of access tokens that is as honest as its test wants: it signs what it is told to, and answers for its keys.
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from "jose";
import type { VerifierDeps } from "../../src/auth/jwt.ts";
import { createVerifyToken } from "../../src/auth/tokens.ts";
import type { Verdict } from "../../src/auth/verdict.ts";
import { readConfig } from "../../src/env.ts";

export const RESOURCE = "https://worker.test/mcp";
export const NOW = new Date("2026-11-26T12:00:00Z");
export const NOW_SECONDS = NOW.getTime() / 1000;

export interface SigningKey {
  alg: string;
  kid: string | undefined;
  privateKey: CryptoKey;
  /** The public half, as it stands in a key set. */
  jwk: JWK;
}

export async function newKey(kid: string | undefined, alg = "ES256"): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const named = kid === undefined ? {} : { kid };
  return { alg, kid, privateKey, jwk: { ...(await exportJWK(publicKey)), ...named } };
}

/** What a good token says. Undefined in `changes` takes a claim away. */
export const claimsOf = (issuer: string, changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  iss: issuer,
  sub: "alice",
  aud: RESOURCE,
  exp: NOW_SECONDS + 300,
  iat: NOW_SECONDS - 60,
  client_id: "inspector",
  scope: "mcp",
  ...changes,
});

/** A token that is signed with this key, whatever it says. */
export async function sign(
  { alg, kid, privateKey }: SigningKey,
  claims: object,
  header: Partial<JWTHeaderParameters> = {},
): Promise<string> {
  const named = kid === undefined ? {} : { kid };
  return new SignJWT({ ...claims }).setProtectedHeader({ alg, ...named, ...header }).sign(privateKey);
}

/** Base64url of a text, or of a value as JSON. */
export function base64url(value: unknown): string {
  const bytes = new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** What issuers answer for: the metadata of each, and its keys. It counts what it is asked. */
export function serve(issuers: Record<string, readonly SigningKey[]>) {
  const asked: string[] = [];
  const fetch: VerifierDeps["fetch"] = async (url) => {
    asked.push(url);
    for (const [issuer, keys] of Object.entries(issuers)) {
      if (url === `${issuer}/keys`) return Response.json({ keys: keys.map(({ jwk }) => jwk) });
      if (url === metadataOf(issuer)) return Response.json({ issuer, jwks_uri: `${issuer}/keys` });
    }
    return new Response(null, { status: 404 });
  };
  return { fetch, asked };
}

const metadataOf = (issuer: string) =>
  new URL("/.well-known/oauth-authorization-server", issuer).href +
  new URL(issuer).pathname.replace(/\/$/, "");

/** The configuration of these variables, as the Worker reads it. */
export const configured = (variables: object) =>
  readConfig({
    DATABASE_URL: "postgresql://mcp:unused-password@ep-cool-1.eu-central-1.aws.neon.tech/mcp",
    API_KEYS: "monitor:health:health-key-0123456789abcdef",
    ...variables,
  });

/** Verifies tokens as the Worker does with these variables. */
export function verifierOf(
  variables: object,
  { fetch, now = () => NOW }: Partial<VerifierDeps> & Pick<VerifierDeps, "fetch">,
): (token: string, resource?: string) => Promise<Verdict> {
  const { tokens } = configured(variables);
  if (tokens === undefined) throw new Error("These variables do not switch OAuth on");
  const verify = createVerifyToken(tokens, { fetch, now });
  return (token, resource = RESOURCE) => verify(token, resource);
}

/** A verdict in a word: `accepted`, `unavailable`, or why the token is refused. */
export const wordOf = (verdict: Verdict) => (verdict.kind === "refused" ? verdict.reason : verdict.kind);
