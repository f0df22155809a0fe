// The official client and a person with Chromium: from a bare 401 to a tool of the Worker, signed in with a key.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { startSystem, type System, type TestSignIn, type TestWorker } from "../e2e/support.ts";
import { allowWith, isBack, openBrowser, Remembered, type Site, startSite } from "./support.ts";

let system: System;
let worker: TestWorker;
let signIn: TestSignIn;
let site: Site;
let browser: Browser;
const written: string[] = [];
beforeAll(async () => {
  // What the Workers log goes here.
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream);
    vi.spyOn(stream, "write").mockImplementation((text, ...more) => {
      written.push(String(text));
      return write(text, ...(more as []));
    });
  }
  [system, site, browser] = await Promise.all([startSystem(), startSite(), openBrowser()]);
  ({ worker, signIn } = await system.startWithSignIn({ LOG_LEVEL: "info" }));
});
afterAll(async () => {
  await Promise.all([browser?.close(), site?.close(), system?.stop()]);
});
beforeEach(() => system.ask("TRUNCATE mcp_sessions"));

/** What a person does whom the client has sent to the sign-in. */
type Answer = (page: Page) => Promise<void>;

const withKey =
  (key: string): Answer =>
  (page) =>
    allowWith(page, key);

/** Connects as far as the person lets it. */
async function connect(answer: Answer, remembered = new Remembered(`${site.url}/callback`)) {
  const refused = transportOf(remembered);
  await expect(new Client({ name: "test", version: "1" }).connect(refused)).rejects.toThrow(
    UnauthorizedError,
  );
  const page = await browser.newPage();
  await page.goto(remembered.page?.href ?? "");
  await answer(page);
  const callback = await isBack(page, site);
  await page.close();
  expect(callback.get("state")).toBe("a-state");
  await refused.finishAuth(callback);
  return { remembered, client: await connected(remembered) };
}

const transportOf = (authProvider: Remembered) =>
  new StreamableHTTPClientTransport(worker.mcp, { authProvider });

async function connected(remembered: Remembered): Promise<Client> {
  const client = new Client({ name: "test", version: "1" });
  await client.connect(transportOf(remembered));
  return client;
}

const write = (client: Client, value: string) =>
  client.callTool({ name: "session_state_set", arguments: { key: "note", value } });
const read = (client: Client) => client.callTool({ name: "session_state_get", arguments: { key: "note" } });

test("a client connects, the person types a key, and the client calls a tool", async () => {
  const { client, remembered } = await connect(withKey(system.keys.alice));
  expect((await write(client, "hello")).isError).toBeFalsy();
  expect(JSON.stringify(await read(client))).toContain("hello");
  expect(remembered.saved).toMatchObject({ scope: "mcp", refresh_token: expect.any(String) });
  const rows = await system.ask<{ principal: string }>("SELECT principal FROM mcp_sessions");
  expect(rows).toEqual([{ principal: JSON.stringify([signIn.url, "alice"]) }]);
  await client.close();
});

test("a web page does the same by itself: it finds everything, signs in, comes back, and opens a session", async () => {
  const page = await browser.newPage();
  await page.goto(site.url);
  await site.next();
  const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  const found = await page.evaluate(
    async ([mcp, redirectUri]) => {
      const json = async (response: Response) => JSON.parse(await response.text());
      const refused = await fetch(mcp, { method: "POST" });
      const where = /resource_metadata="([^"]+)"/.exec(refused.headers.get("WWW-Authenticate") ?? "")?.[1];
      const resource = await json(await fetch(where ?? ""));
      const [issuer] = resource.authorization_servers;
      const server = await json(await fetch(`${issuer}/.well-known/oauth-authorization-server`));
      const client = await fetch(server.registration_endpoint, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ redirect_uris: [redirectUri], token_endpoint_auth_method: "none" }),
      });
      return { server, resource: resource.resource, clientId: (await json(client)).client_id };
    },
    [worker.mcp.href, `${site.url}/callback`] as const,
  );
  const asked = new URL(found.server.authorization_endpoint);
  asked.search = new URLSearchParams({
    response_type: "code",
    client_id: found.clientId,
    redirect_uri: `${site.url}/callback`,
    resource: found.resource,
    state: "a-state",
    code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    code_challenge_method: "S256",
  }).toString();
  await page.goto(asked.href);
  await allowWith(page, system.keys.alice);
  const code = (await isBack(page, site)).get("code") ?? "";
  const sessionId = await page.evaluate(
    async ([tokenEndpoint, mcp, body]) => {
      const answer = await fetch(tokenEndpoint, { method: "POST", body: new URLSearchParams(body) });
      const { access_token: token } = JSON.parse(await answer.text());
      const opened = await fetch(mcp, {
        method: "POST",
        headers: {
          Authorization: `Bearer ${token}`,
          "Content-Type": "application/json",
          Accept: "application/json, text/event-stream",
        },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "initialize",
          params: {
            protocolVersion: "2025-11-25",
            capabilities: {},
            clientInfo: { name: "a web page", version: "1" },
          },
        }),
      });
      return opened.headers.get("Mcp-Session-Id");
    },
    [
      found.server.token_endpoint,
      worker.mcp.href,
      {
        grant_type: "authorization_code",
        code,
        client_id: found.clientId,
        redirect_uri: `${site.url}/callback`,
        code_verifier: verifier,
      },
    ] as const,
  );
  expect(sessionId).toMatch(/\S{20}/);
  expect(await system.ask("SELECT 1 FROM mcp_sessions")).toHaveLength(1);
  await page.close();
});

test("a client that is denied gets nothing", async () => {
  const denied = connect((page) => page.getByRole("button", { name: "Deny" }).click());
  await expect(denied).rejects.toThrow(/access_denied|denied/);
  expect(await system.ask("SELECT 1 FROM mcp_sessions")).toEqual([]);
});

test("another person does not find the session, and the same one does from another client", async () => {
  const alice = await connect(withKey(system.keys.alice));
  await write(alice.client, "hers");
  const id = (alice.client.transport as StreamableHTTPClientTransport).sessionId ?? "";
  const bob = await connect(withKey(system.keys.bob));
  const ask = (token: string | undefined) =>
    fetch(worker.mcp, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${token}`,
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
        "Mcp-Session-Id": id,
        "MCP-Protocol-Version": "2025-11-25",
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
    });
  expect((await ask(bob.remembered.saved?.access_token)).status).toBe(404);
  expect((await ask(system.keys.alice)).status).toBe(404);
  const other = await connect(withKey(system.keys.alice), new Remembered(`${site.url}/other`));
  expect((await ask(other.remembered.saved?.access_token)).status).toBe(200);
});

describe("a key that changes", () => {
  const others = () => system.apiKeys.split(",").filter((entry) => !entry.startsWith("alice:"));

  test("ends what it has granted when it is removed, and not what others have", async () => {
    const alice = await connect(withKey(system.keys.alice));
    const bob = await connect(withKey(system.keys.bob));
    await signIn.restart(others().join());
    try {
      expect((await write(bob.client, "still here")).isError).toBeFalsy();
      alice.remembered.page = undefined;
      await expect(read(alice.client)).rejects.toThrow(UnauthorizedError);
      // Refreshing has been tried, and failed: the person is asked again.
      expect(alice.remembered.page).toBeDefined();
      expect(alice.remembered.saved).toBeUndefined();
    } finally {
      await signIn.restart(system.apiKeys);
    }
  });

  test("ends what it has granted when another takes its place, and not while both are there", async () => {
    const alice = await connect(withKey(system.keys.alice));
    const next = "0123456789abcdefghijklmnopqrstuvwxyz";
    try {
      await signIn.restart(`${system.apiKeys},alice:mcp:${next}`);
      expect((await write(alice.client, "both")).isError).toBeFalsy();
      await signIn.restart(`${others().join()},alice:mcp:${next}`);
      await expect(read(alice.client)).rejects.toThrow(UnauthorizedError);
    } finally {
      await signIn.restart(system.apiKeys);
    }
  });
});

test("the sign-in that does not answer throws nobody out", async () => {
  const { client, remembered } = await connect(withKey(system.keys.alice));
  await client.close();
  await signIn.stop();
  const response = await fetch(worker.mcp, {
    method: "POST",
    headers: { Authorization: `Bearer ${remembered.saved?.access_token}` },
  });
  expect(response.status).toBe(503);
  expect(response.headers.has("Retry-After")).toBe(true);
  await signIn.restart(system.apiKeys);
  const again = await connected(remembered);
  expect((await again.listTools()).tools.length).toBeGreaterThan(0);
});

test("no key, code or token is in any log", () => {
  const log = written.join("");
  expect(log).toContain("Sign-in: allowed");
  for (const key of Object.values(system.keys)) expect(log).not.toContain(key);
  expect(log).not.toMatch(/[?&](code|state)=|Bearer /);
  // A token of the library is name:grant:secret.
  expect(log).not.toMatch(/\b(alice|bob):[\w-]{16}:/);
});
