// The keys of an authorization server: fetched once, replaced while people are signed in, and not to be had for a while.
import type { StoredOAuthTokens } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type AuthorizationServer,
  startAuthorizationServer,
  type Trouble,
} from "../support/authorization-server.ts";
import { call, initializeMessage, openSession, send, toolMessage, untilAvailable } from "./connections.ts";
import { connectSignedInV2, createBrowser, createSignIn } from "./oauth-client.ts";
import { startSystem, type System, type TestWorker } from "./support.ts";

const KEYS = "/jwks";
const METADATA = "/.well-known/oauth-authorization-server";

let system: System;
let authority: AuthorizationServer;
let worker: TestWorker;
beforeAll(async () => {
  system = await startSystem();
  authority = await startAuthorizationServer();
  worker = await system.startWorker({ OAUTH_ISSUERS: authority.issuer });
});
afterAll(async () => {
  await authority.close();
  await system.stop();
});
beforeEach(() => authority.setTrouble(undefined));

const signedIn = async () => {
  const provider = createSignIn(createBrowser("ann"));
  const connection = await connectSignedInV2({ mcp: worker.mcp, provider });
  return { provider, connection, token: () => provider.tokens()?.access_token ?? "" };
};
const initialize = (key: string) => send({ mcp: worker.mcp, key, message: initializeMessage });

describe("a fresh isolate", () => {
  // At once: more than clients keep open, fewer than a machine refuses.
  const LANES = 10;

  const prepare = async () => {
    const { token, connection } = await signedIn();
    const session = connection.sessionId() ?? "";
    const key = token();
    await connection.client.close();
    await worker.restart();
    authority.forgetRequests();
    return async () =>
      (await send({ mcp: worker.mcp, key, session, message: { id: 1, method: "ping" } })).status;
  };
  const fetches = () => [METADATA, KEYS].map((path) => authority.requests(path));

  test("fetches the keys once for a thousand requests", async () => {
    const ask = await prepare();
    expect(await ask()).toBe(200);
    const lanes = Array.from({ length: LANES }, async () => {
      const statuses = [];
      for (let i = 0; i < 1000 / LANES; i++) statuses.push(await ask());
      return statuses;
    });
    const statuses = (await Promise.all(lanes)).flat();
    expect(statuses).toEqual(Array.from({ length: 1000 }, () => 200));
    expect(fetches()).toEqual([1, 1]);
  });

  test("fetches them once for each request at most, when its first requests come together", async () => {
    const ask = await prepare();
    const statuses = await Promise.all(Array.from({ length: LANES }, ask));
    expect(new Set(statuses)).toEqual(new Set([200]));
    for (const count of fetches()) {
      expect(count).toBeGreaterThanOrEqual(1);
      expect(count).toBeLessThanOrEqual(LANES);
    }
  });
});

describe.each<Trouble>(["closed", "broken", "silent"])("an authorization server that is %s", (trouble) => {
  test("costs an isolate that has its keys nothing", async () => {
    const { token, connection } = await signedIn();
    expect((await initialize(token())).status).toBe(200);
    authority.setTrouble(trouble);
    authority.forgetRequests();
    expect((await initialize(token())).status).toBe(200);
    expect(await call(connection, "session_info")).toMatchObject({ session: expect.any(String) });
    expect(authority.requests(KEYS)).toBe(0);
    await connection.client.close();
  });

  test("makes one that has none say 503, never 401, until it is well; sessions and keys stay", async () => {
    const { token, connection } = await signedIn();
    await call(connection, "session_state_set", { key: "cart", value: 1 });
    const session = connection.sessionId() ?? "";
    authority.setTrouble(trouble);
    await worker.restart();
    authority.forgetRequests();

    const read = { session, message: toolMessage("session_state_get", { key: "cart" }) };
    const use = () => send({ mcp: worker.mcp, key: token(), ...read });
    for (const ask of [use, () => initialize(token())]) {
      const { status, headers, body } = await ask();
      expect(status).toBe(503);
      expect(headers.get("Retry-After")).toMatch(/^[1-9]\d?$/);
      expect(headers.get("WWW-Authenticate")).toBeNull();
      expect(body).toMatchObject({ jsonrpc: "2.0", error: { code: expect.any(Number) }, id: null });
      expect(JSON.stringify(body)).not.toContain(authority.issuer);
    }
    const others = await Promise.all(Array.from({ length: 50 }, use));
    expect(others.map(({ status }) => status)).toEqual(others.map(() => 503));
    // A storm on a server that is down would keep it down.
    const asked = [METADATA, KEYS, "/.well-known/openid-configuration"].map((path) =>
      authority.requests(path),
    );
    expect(asked.reduce((sum, count) => sum + count, 0)).toBeLessThan(10);
    await openSession(worker.mcp, system.keys.alice);

    authority.setTrouble(undefined);
    expect(await untilAvailable(use)).toMatchObject({
      status: 200,
      body: { result: { structuredContent: { found: true, value: 1 } } },
    });
    await connection.client.close();
  });
});

test("new keys are taken without a restart, nobody has to sign in again, and the old ones end", async () => {
  const { provider, token, connection } = await signedIn();
  const session = connection.sessionId();
  const old = token();
  expect((await initialize(old)).status).toBe(200);
  await authority.rotate();
  // As a client does when its token is about to expire.
  const refreshed = await fetch(new URL("/token", authority.issuer), {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: provider.tokens()?.refresh_token ?? "",
      client_id: provider.clientInformation()?.client_id ?? "",
    }),
  });
  expect(refreshed.status).toBe(200);
  await provider.saveTokens((await refreshed.json()) as StoredOAuthTokens);
  expect(token()).not.toBe(old);

  expect((await untilAvailable(() => initialize(token()))).status).toBe(200);
  expect(await call(connection, "session_info")).toMatchObject({ session: expect.any(String) });
  expect(connection.sessionId()).toBe(session);
  expect(provider.redirects()).toBe(1);
  // The set of keys that has the new one no longer has the old one.
  expect((await untilAvailable(() => initialize(old))).status).toBe(401);
  await connection.client.close();
});
