// Tokens that say nothing by themselves: the Worker asks a certified authorization server what each is worth (RFC 7662).
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { tokenRefusals } from "../../src/auth/verdict.ts";
import { type AuthorizationServer, startAuthorizationServer } from "../support/authorization-server.ts";
import { call, initializeMessage, send, toolMessage } from "./connections.ts";
import {
  connectSignedInV1,
  connectSignedInV2,
  createBrowser,
  createSignIn,
  type SignIn,
} from "./oauth-client.ts";
import { startSystem, type System, type TestWorker } from "./support.ts";

const INTROSPECTION = "/token/introspection";
// RFC 6749 §2.3.1 encodes both before they are joined with a colon.
const introspector = { id: "the worker", secret: "s:cret/+%20 =" };

let system: System;
let authority: AuthorizationServer;
let worker: TestWorker;
beforeAll(async () => {
  system = await startSystem();
  authority = await startAuthorizationServer({ tokens: "opaque", introspector });
  worker = await system.startWorker(variables());
});
afterAll(async () => {
  await authority.close();
  await system.stop();
});
beforeEach(() => authority.setTrouble(undefined));

const variables = () => ({
  OAUTH_ISSUERS: authority.issuer,
  OAUTH_INTROSPECTION_URL: new URL(INTROSPECTION, authority.issuer).href,
  OAUTH_INTROSPECTION_CLIENT_ID: introspector.id,
  OAUTH_INTROSPECTION_CLIENT_SECRET: introspector.secret,
});
const signedIn = async (person: string, mcp = worker.mcp, connect = connectSignedInV2) => {
  const provider = createSignIn(createBrowser(person));
  const connection = await connect({ mcp, provider });
  return { provider, connection, token: () => provider.tokens()?.access_token ?? "" };
};
const initialize = (key: string) => send({ mcp: worker.mcp, key, message: initializeMessage });
const revoke = async (provider: SignIn, token: string) => {
  const response = await fetch(new URL("/token/revocation", authority.issuer), {
    method: "POST",
    body: new URLSearchParams({ token, client_id: provider.clientInformation()?.client_id ?? "" }),
  });
  expect(response.status).toBe(200);
};

describe.each([
  ["@modelcontextprotocol/sdk 1.x", connectSignedInV1],
  ["@modelcontextprotocol/client 2.x", connectSignedInV2],
])("%s", (_name, connect) => {
  test("signs in, and again when its tokens are revoked, and goes on in its session", async () => {
    const { provider, connection, token } = await signedIn("ann", worker.mcp, connect);
    expect(token()).not.toContain(".");
    const id = connection.sessionId();
    await call(connection, "session_state_set", { key: "cart", value: 1 });
    expect(await call(connection, "session_info")).toMatchObject({
      principal: JSON.stringify([authority.issuer, "ann"]),
    });

    const first = token();
    // This server revokes the refresh token with it.
    await revoke(provider, first);
    await expect(call(connection, "session_info")).rejects.toThrow();
    expect(provider.redirects()).toBe(2);
    await connection.signInAgain();
    expect(await call(connection, "session_state_get", { key: "cart" })).toMatchObject({ value: 1 });
    expect(connection.sessionId()).toBe(id);
    expect(token()).not.toBe(first);
    await connection.client.close();
  });
});

test("a token that is revoked is refused at once, and the session waits for another", async () => {
  const { provider, connection, token } = await signedIn("ann");
  expect((await initialize(token())).status).toBe(200);
  await revoke(provider, token());
  const { status, headers } = await initialize(token());
  expect(status).toBe(401);
  expect(headers.get("WWW-Authenticate")).toContain(
    `error="invalid_token", error_description="${tokenRefusals.unknown_token}"`,
  );
  await connection.client.close();
});

test.each([
  ["that nobody has issued", "unknown_token", async () => "A".repeat(43)],
  [
    "issued for another resource",
    "wrong_audience",
    async () => (await signedIn("ann", (await system.startWorker(variables())).mcp)).token(),
  ],
  [
    "that is a refresh token",
    "wrong_audience",
    async () => (await signedIn("ann")).provider.tokens()?.refresh_token,
  ],
] as const)("a token %s is refused: %s", async (_name, reason, make) => {
  const { status, headers } = await initialize((await make()) ?? "");
  expect(status).toBe(401);
  expect(headers.get("WWW-Authenticate")).toContain(`error_description="${tokenRefusals[reason]}"`);
});

test("another person has no part in a session, and gets the answer for one that never was", async () => {
  const ann = await signedIn("ann");
  const eve = await signedIn("eve");
  const use = { mcp: worker.mcp, key: eve.token(), message: toolMessage("session_info") };
  const foreign = await send({ ...use, session: ann.connection.sessionId() ?? "" });
  expect(foreign.status).toBe(404);
  expect(foreign.body).toEqual((await send({ ...use, session: "A".repeat(43) })).body);
  await Promise.all([ann, eve].map(({ connection }) => connection.client.close()));
});

test("while nobody can be asked the answer is 503, never 401; keys work, and it is well again by itself", async () => {
  const { connection, token } = await signedIn("ann");
  for (const trouble of ["closed", "broken"] as const) {
    authority.setTrouble(trouble);
    const { status, headers } = await initialize(token());
    expect(status, trouble).toBe(503);
    expect(headers.get("Retry-After"), trouble).toMatch(/^[1-9]\d?$/);
    expect(headers.get("WWW-Authenticate")).toBeNull();
    expect((await initialize(system.keys.alice)).status).toBe(200);
    authority.setTrouble(undefined);
    expect((await initialize(token())).status).toBe(200);
  }
  await connection.client.close();
});

test("a secret that the authorization server refuses is no fault of a person: 503", async () => {
  const { connection, token } = await signedIn("ann");
  const wrong = await system.startWorker({ ...variables(), OAUTH_INTROSPECTION_CLIENT_SECRET: "wrong" });
  const { status } = await send({ mcp: wrong.mcp, key: token(), message: initializeMessage });
  expect(status).toBe(503);
  await connection.client.close();
});
