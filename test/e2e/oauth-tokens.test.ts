// Each token that must not get in, sent to the Worker beside one that must: what it is told, and that it learns no more.
import { auth } from "@modelcontextprotocol/client";
import {
  type CryptoKey,
  decodeJwt,
  decodeProtectedHeader,
  exportSPKI,
  generateKeyPair,
  importJWK,
} from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tokenRefusals, type TokenRefusal } from "../../src/auth/verdict.ts";
import { type AuthorizationServer, startAuthorizationServer } from "../support/authorization-server.ts";
import { initializeMessage, openSession, send, untilAvailable } from "./connections.ts";
import { part, resigned } from "./forged-tokens.ts";
import { createBrowser, createSignIn } from "./oauth-client.ts";
import { startSystem, type System, type TestWorker } from "./support.ts";

let system: System;
let worker: TestWorker;
/** The one whose tokens the Worker takes. */
let authority: AuthorizationServer;
/** One that is as good, and of which the Worker has never heard. */
let stranger: AuthorizationServer;
/** Issued for the Worker. */
let good: string;
beforeAll(async () => {
  system = await startSystem();
  authority = await startAuthorizationServer({ scopes: "mcp health" });
  stranger = await startAuthorizationServer();
  worker = await system.startWorker({ OAUTH_ISSUERS: authority.issuer });
  good = (await issued({ resource: worker.mcp.href, scope: "mcp" })).access_token;
});
afterAll(async () => {
  await Promise.all([authority, stranger].map((server) => server.close()));
  await system.stop();
});

interface Wish {
  from?: AuthorizationServer;
  resource: string;
  scope: string;
}

/** What an authorization server gives to a client for a person who signs in there. */
async function issued({ from = authority, resource, scope }: Wish) {
  const provider = createSignIn(createBrowser("ann"));
  provider.validateResourceURL = () => Promise.resolve(new URL(resource));
  const state = { authorizationServerUrl: from.issuer };
  provider.discoveryState = () => state;
  await auth(provider, { serverUrl: worker.mcp, scope });
  const { code: authorizationCode = "", iss = "" } = Object.fromEntries(provider.returned());
  await auth(provider, { serverUrl: worker.mcp, authorizationCode, iss });
  const tokens = provider.tokens();
  if (tokens === undefined) throw new Error("The authorization server has given no tokens");
  return tokens;
}

const seconds = (fromNow: number) => Math.floor(Date.now() / 1000) + fromNow;
const publicKey = async () => {
  const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...open } = authority.keys[0] ?? { kty: "RSA" };
  return open;
};
const metadataLink = () => `resource_metadata="${worker.url}/.well-known/oauth-protected-resource/mcp"`;
const initialize = (key: string) => send({ mcp: worker.mcp, key, message: initializeMessage });

const bad: [string, TokenRefusal, () => Promise<string> | string][] = [
  [
    "issued for another resource",
    "wrong_audience",
    async () => (await issued({ resource: "https://other.example/mcp", scope: "mcp" })).access_token,
  ],
  [
    "of an authorization server that the Worker does not know",
    "wrong_issuer",
    async () => (await issued({ from: stranger, resource: worker.mcp.href, scope: "mcp" })).access_token,
  ],
  [
    "of that server, in the name of ours",
    "unknown_key",
    async () => {
      const { access_token } = await issued({ from: stranger, resource: worker.mcp.href, scope: "mcp" });
      return resigned(stranger, access_token, { claims: { iss: authority.issuer } });
    },
  ],
  [
    "in the name of another",
    "wrong_issuer",
    () => resigned(authority, good, { claims: { iss: stranger.issuer } }),
  ],
  ["expired a minute ago", "expired", () => resigned(authority, good, { claims: { exp: seconds(-60) } })],
  ["that never expires", "no_expiry", () => resigned(authority, good, { claims: { exp: undefined } })],
  [
    "valid from an hour on",
    "not_yet_valid",
    () => resigned(authority, good, { claims: { nbf: seconds(3600) } }),
  ],
  ["of nobody", "no_subject", () => resigned(authority, good, { claims: { sub: undefined } })],
  ["for nothing", "wrong_audience", () => resigned(authority, good, { claims: { aud: undefined } })],
  [
    "of another person, with the signature of this one",
    "bad_signature",
    () => {
      const [header, , signature] = good.split(".");
      return [header, part({ ...decodeJwt(good), sub: "eve" }), signature].join(".");
    },
  ],
  [
    "signed by another key under the name of ours",
    "bad_signature",
    async () => resigned(authority, good, { key: (await generateKeyPair("RS256")).privateKey }),
  ],
  [
    "with alg none and no signature",
    "bad_algorithm",
    () => `${part({ ...decodeProtectedHeader(good), alg: "none" })}.${part(decodeJwt(good))}.`,
  ],
  [
    "with HS256 and the public key, as PEM, for a secret",
    "bad_algorithm",
    async () => {
      const pem = await exportSPKI(
        (await importJWK(await publicKey(), "RS256", { extractable: true })) as CryptoKey,
      );
      return resigned(authority, good, { header: { alg: "HS256" }, key: new TextEncoder().encode(pem) });
    },
  ],
  [
    "with HS256 and the public key, as JWK, for a secret",
    "bad_algorithm",
    async () => {
      const jwk = new TextEncoder().encode(JSON.stringify(await publicKey()));
      return resigned(authority, good, { header: { alg: "HS256" }, key: jwk });
    },
  ],
  [
    "that is an ID token",
    "wrong_audience",
    async () => (await issued({ resource: worker.mcp.href, scope: "openid mcp" })).id_token ?? "",
  ],
  [
    "that is an ID token whose audience is the resource, too",
    "not_an_access_token",
    async () => {
      const { id_token } = await issued({ resource: worker.mcp.href, scope: "openid mcp" });
      const claims = { aud: worker.mcp.href, at_hash: "77QmUPtjPfzWtF2AnpK9RQ" };
      return resigned(authority, id_token ?? "", { claims });
    },
  ],
  [
    "that is a refresh token",
    "malformed",
    async () => (await issued({ resource: worker.mcp.href, scope: "mcp" })).refresh_token ?? "",
  ],
  ["of three parts that are nothing", "malformed", () => "aaaa.bbbb.cccc"],
  ["of 9 KiB", "too_large", () => resigned(authority, good, { claims: { padding: "x".repeat(9 * 1024) } })],
];

describe("a token", () => {
  test("as it was issued opens a session, and so does one signed by the other key", async () => {
    expect(await initialize(good)).toMatchObject({ status: 200 });
    const [, ecKey] = authority.keys;
    const other = await resigned(authority, good, {
      header: { alg: "ES256", kid: ecKey?.kid ?? "" },
      key: (await importJWK(ecKey ?? {}, "ES256")) as CryptoKey,
    });
    expect(await initialize(other)).toMatchObject({ status: 200 });
  });

  test("is good for 30 seconds after its end: clocks differ", async () => {
    const late = await resigned(authority, good, { claims: { exp: seconds(-10) } });
    expect(await initialize(late)).toMatchObject({ status: 200 });
  });

  test("for the resource with a slash at its end is for the resource", async () => {
    const slash = await resigned(authority, good, { claims: { aud: `${worker.mcp.href}/` } });
    expect(await initialize(slash)).toMatchObject({ status: 200 });
  });

  test.each(bad)("%s is refused: %s", async (_name, reason, make) => {
    const session = await openSession(worker.mcp, good);
    const token = await make();
    const message = { id: 1, method: "ping" };
    const use = { mcp: worker.mcp, session, message };
    const answer = await untilAvailable(() => send({ ...use, key: token }));
    expect(answer.status).toBe(401);
    const challenge = answer.headers.get("WWW-Authenticate") ?? "";
    expect(challenge).toContain(`error="invalid_token", error_description="${tokenRefusals[reason]}"`);
    expect(challenge).toContain(metadataLink());
    const told = JSON.stringify([[...answer.headers], answer.body]);
    for (const piece of token.split(".").filter((text) => text.length > 8)) expect(told).not.toContain(piece);
    expect(told).not.toContain(authority.issuer);
    expect(await send({ ...use, key: good })).toMatchObject({ status: 200 });
  });

  test("without the scope is told all that is needed, with 403 and no error of the token", async () => {
    const { access_token } = await issued({ resource: worker.mcp.href, scope: "health" });
    const answer = await initialize(access_token);
    expect(answer.status).toBe(403);
    const challenge = answer.headers.get("WWW-Authenticate") ?? "";
    expect(challenge).toContain('error="insufficient_scope"');
    expect(challenge).toMatch(/scope="[^"]*\bmcp\b/);
    expect(challenge).toContain(metadataLink());
  });

  test("may give by one name what a client asks for by another, for an audience that is no address", async () => {
    const long = "api://0f1e2d3c/mcp";
    const { url, mcp } = await system.startWorker({
      OAUTH_ISSUERS: authority.issuer,
      OAUTH_AUDIENCE: "0f1e2d3c",
      OAUTH_SCOPES: `${long}=mcp, mcp=mcp`,
    });
    const metadata = await fetch(`${url}/.well-known/oauth-protected-resource/mcp`);
    expect(await metadata.json()).toMatchObject({ resource: mcp.href, scopes_supported: [long] });
    const bare = await fetch(mcp, { method: "POST", body: "{}" });
    expect(bare.headers.get("WWW-Authenticate")).toContain(`scope="${long}"`);
    const claims = { aud: "0f1e2d3c", scope: undefined, scp: "profile mcp" };
    const key = await resigned(authority, good, { claims });
    expect(await send({ mcp, key, message: initializeMessage })).toMatchObject({ status: 200 });
    expect(await send({ mcp, key: good, message: initializeMessage })).toMatchObject({ status: 401 });
  });
});
