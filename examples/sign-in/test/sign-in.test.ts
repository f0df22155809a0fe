// Both Workers under wrangler, over the database of .dev.vars, with the official client and a person who types a key.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { after, test } from "node:test";
import {
  Client,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from "@modelcontextprotocol/client";
import { unstable_startWorker as startWorker } from "wrangler";

const [signInPort, port] = [await freePort(), await freePort()];
const signIn = `http://127.0.0.1:${signInPort}`;
const mcp = new URL(`http://127.0.0.1:${port}/mcp`);
const workers = [
  await start("wrangler.toml", signInPort, { SIGN_IN_URL: signIn, MCP_URL: mcp.href }),
  await start("wrangler.mcp.toml", port, { OAUTH_ISSUERS: signIn }),
];
after(() => Promise.all(workers.map((worker) => worker.dispose())));

const apiKeys = /^API_KEYS=(.*)$/m.exec(readFileSync(".dev.vars", "utf8"))?.[1] ?? "";
const keyOf = (name: string) => new RegExp(`\\b${name}:[^:]+:([\\w-]+)`).exec(apiKeys)?.[1] ?? "";

async function start(config: string, port: number, vars: Record<string, string>) {
  const worker = await startWorker({
    config,
    bindings: Object.fromEntries(
      Object.entries(vars).map(([name, value]) => [name, { type: "plain_text", value }]),
    ),
    dev: {
      server: { hostname: "127.0.0.1", port },
      persist: `.wrangler/${config}`,
      registry: ".wrangler/registry",
      // Its port would be the same for both.
      inspector: false,
      logLevel: "warn",
    },
  });
  await worker.ready;
  return worker;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** What a person does on the page: types a key, and allows. */
async function typeKey(url: URL, key: string): Promise<Response> {
  const page = await fetch(url);
  const cookies = page.headers.getSetCookie().map((cookie) => cookie.split(";")[0]);
  const handle = /name="handle" value="([^"]+)"/.exec(await page.text())?.[1] ?? "";
  return fetch(url, {
    method: "POST",
    redirect: "manual",
    headers: { Cookie: cookies.join("; "), Origin: url.origin },
    body: new URLSearchParams({ handle, key, decision: "allow" }),
  });
}

/** A client that knows the address of /mcp alone, of a person who has this key. */
function clientOf(key: string) {
  let information: { client_id: string } | undefined;
  let tokens: StoredOAuthTokens | undefined;
  let discovered: OAuthDiscoveryState | undefined;
  let verifier = "";
  let returned = new URLSearchParams();
  const asked: string[] = [];
  const authProvider: OAuthClientProvider = {
    redirectUrl: "http://127.0.0.1:33418/callback",
    clientMetadata: {
      client_name: "test",
      redirect_uris: ["http://127.0.0.1:33418/callback"],
      application_type: "native",
      token_endpoint_auth_method: "none",
    },
    clientInformation: () => information,
    saveClientInformation: (saved) => void (information = saved),
    tokens: () => tokens,
    saveTokens: (saved) => void (tokens = saved),
    codeVerifier: () => verifier,
    saveCodeVerifier: (saved) => void (verifier = saved),
    discoveryState: () => discovered,
    saveDiscoveryState: (saved) => void (discovered = saved),
    async redirectToAuthorization(url) {
      asked.push(url.searchParams.get("scope") ?? "");
      const page = await (await typeKey(url, key)).text();
      const target = /content="0; url=([^"]+)"/.exec(page)?.[1]?.replaceAll("&amp;", "&") ?? "";
      returned = new URL(target).searchParams;
    },
  };

  let client: Client;
  let transport: StreamableHTTPClientTransport;
  const connect = async () => {
    transport = new StreamableHTTPClientTransport(mcp, { authProvider });
    client = new Client({ name: "test", version: "1.0.0" });
    await client.connect(transport);
  };
  /** Does it; when the person must sign in first, does it again after that. */
  async function signedIn<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!UnauthorizedError.isInstance(error)) throw error;
      await transport.finishAuth(returned);
      return work();
    }
  }
  return {
    connect: () => signedIn(connect),
    call: (name: string) => signedIn(async () => (await client.callTool({ name, arguments: {} })).content),
    session: () => transport.sessionId ?? "",
    token: () => tokens?.access_token ?? "",
    /** The scopes that the person was asked for, each time. */
    asked,
    end: async () => {
      await transport.terminateSession();
      await client.close();
    },
  };
}

const ping = (credential: string, session: string) =>
  fetch(mcp, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${credential}`,
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
      "Mcp-Session-Id": session,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
  });

test("a client that knows the address alone signs its person in, and the session is the person's", async () => {
  const [ann, ben] = [clientOf(keyOf("ann")), clientOf(keyOf("ben"))];
  await ann.connect();
  await ben.connect();
  assert.deepEqual(ann.asked, ["mcp"]);
  assert.deepEqual(await ann.call("who_am_i"), [{ type: "text", text: "ann, by a token" }]);
  assert.equal((await ping(ann.token(), ann.session())).status, 200);
  assert.equal((await ping(ben.token(), ann.session())).status, 404);
  assert.equal((await ping(keyOf("ann"), ann.session())).status, 404);
  await ann.end();
  await ben.end();
});

test("a tool that needs more sends the person to the page again, and the session goes on", async () => {
  const ben = clientOf(keyOf("ben"));
  await ben.connect();
  const session = ben.session();
  assert.deepEqual(await ben.call("close"), [{ type: "text", text: "ben has closed the house" }]);
  assert.deepEqual(ben.asked, ["mcp", "mcp admin"]);
  assert.equal(ben.session(), session);
  await ben.end();
});

test("who has no key gets nowhere", async () => {
  const refused = await fetch(mcp, { method: "POST" });
  assert.equal(refused.status, 401);
  assert.match(refused.headers.get("WWW-Authenticate") ?? "", /resource_metadata="http:[^"]+\/mcp"/);
  await assert.rejects(clientOf("a-key-that-nobody-has-0123456789").connect());
});

test("a key opens /mcp without the page", async () => {
  const client = new Client({ name: "test", version: "1.0.0" });
  const headers = { Authorization: `Bearer ${keyOf("ann")}` };
  const transport = new StreamableHTTPClientTransport(mcp, { requestInit: { headers } });
  await client.connect(transport);
  const { content } = await client.callTool({ name: "who_am_i", arguments: {} });
  assert.deepEqual(content, [{ type: "text", text: "ann, by a key" }]);
  await transport.terminateSession();
  await client.close();
});
