// An issuer of real tokens: its keys and metadata are on the web server of the test run, where the Worker fetches them.
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from "jose";
import { inject } from "vitest";
import { keepSecret } from "./captured-logs.ts";
import type { Page, WebRequest } from "./web-server.ts";
import { control } from "./worker.ts";

export const putPages = (pages: Record<string, Page>) => control<null>("web_put", pages);
export const webRequests = () => control<WebRequest[]>("web_requests");
export const clearWeb = () => control<null>("web_clear");

/** What tokens are for, unless a test says otherwise: /mcp of the Worker of the tests. */
export const RESOURCE = "https://worker.test/mcp";

export interface TestIssuer {
  /** As it stands in `iss`. */
  url: string;
  /** A token of this person, good for an hour. A claim that is undefined is left out. */
  token: (subject: string, scope?: string, claims?: Record<string, unknown>) => Promise<string>;
  /** Puts its metadata and its keys up, or what stands in their place. */
  publish: (instead?: { metadata?: Page; keys?: Page }) => Promise<void>;
}

/**
 * An issuer of its own.
 * @param isAccess Cloudflare Access: an origin, with its keys where it has them.
 */
export async function createIssuer({ isAccess = false } = {}): Promise<TestIssuer> {
  const path = isAccess ? "" : `/issuer-${crypto.randomUUID()}`;
  const url = `${inject("webServer")}${path}`;
  const keysPath = isAccess ? "/cdn-cgi/access/certs" : `${path}/keys`;
  const kid = crypto.randomUUID();
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" }] };
  const metadata = {
    issuer: url,
    jwks_uri: new URL(keysPath, url).href,
    authorization_endpoint: `${url}/authorize`,
    token_endpoint: `${url}/token`,
    response_types_supported: ["code"],
  };
  return {
    url,
    token: (subject, scope, claims = {}) =>
      sign(privateKey, kid, { iss: url, sub: subject, scope, ...claims }),
    publish: ({ metadata: meta, keys } = {}) =>
      putPages({
        [`/.well-known/oauth-authorization-server${path}`]: meta ?? { body: metadata },
        [keysPath]: keys ?? { body: jwks },
      }).then(() => undefined),
  };
}

async function sign(key: CryptoKey, kid: string, claims: Record<string, unknown>): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const all = { aud: RESOURCE, iat: now, exp: now + 3600, client_id: "a client", ...claims };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  const token = await new SignJWT(given).setProtectedHeader({ alg: "ES256", kid, typ: "at+jwt" }).sign(key);
  return keepSecret(token);
}
