// The parts of examples/sign-in that need no browser: what a key's changes do to what it has granted, how attempts are
// counted without Cloudflare's binding, and what is said of wrong variables.
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { createApp } from "../../examples/sign-in/app.ts";
import { createLimit } from "../../examples/sign-in/attempts.ts";
import { createKeyring } from "../../examples/sign-in/keyring.ts";
import { consentPage } from "../../examples/sign-in/page.ts";
import { recordsOf } from "../../examples/sign-in/records.ts";
import { createAuthorizationServer, validateToken } from "../../examples/sign-in/server.ts";
import { type Env, readSettings } from "../../examples/sign-in/settings.ts";

const ISSUER = "https://sign-in.example";
const MCP = "https://server.example/mcp";
const KEY = "a-key-of-alice-0123456789";
const OTHER_KEY = "another-key-of-alice-0123456789";
const REDIRECT = "https://client.example/callback";
// Of RFC 7636, appendix B.
const VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const variables = (apiKeys: string): Env => ({
  OAUTH_KV: recordsOf(env.CLEANUP_SLEEP),
  API_KEYS: apiKeys,
  SIGN_IN_URL: ISSUER,
  MCP_URL: `${MCP} https://other.example/mcp`,
});

/** The server as it is with these keys, over the same KV. */
function open(apiKeys: string) {
  const own = variables(apiKeys);
  const settings = readSettings(own);
  const keyring = createKeyring(settings.keys);
  const server = createAuthorizationServer(settings, keyring);
  return {
    server,
    own,
    keyring,
    worth: (token: string, resource = MCP) => validateToken(server, keyring, { resource, token, env: own }),
    ask: async (parameters: Record<string, string>) => {
      const request = new Request(`${ISSUER}/oauth/token`, {
        method: "POST",
        body: new URLSearchParams(parameters),
      });
      const response = await server.fetch(request, own, context);
      return { status: response.status, body: await response.json<Record<string, string>>() };
    },
  };
}

const context = { waitUntil() {}, passThroughOnException() {}, props: {} } as unknown as ExecutionContext;

/** The tokens that a client gets when alice has signed in with her key. */
async function signedIn(apiKeys: string, scope: string[]) {
  const { server, own, keyring, ask } = open(apiKeys);
  const holder = await keyring.holderOf(KEY);
  if (holder === undefined) throw new Error("The key is not known");
  const oauth = server.getOAuthApi(own);
  const { clientId } = await oauth.createClient({
    redirectUris: [REDIRECT],
    tokenEndpointAuthMethod: "none",
  });
  const { redirectTo } = await oauth.completeAuthorization({
    request: {
      responseType: "code",
      clientId,
      redirectUri: REDIRECT,
      scope,
      state: "a-state",
      codeChallenge: CHALLENGE,
      codeChallengeMethod: "S256",
      resource: MCP,
      issuer: ISSUER,
    },
    userId: holder.name,
    metadata: {},
    scope,
    props: { key: holder.key },
  });
  const { body } = await ask({
    grant_type: "authorization_code",
    code: new URL(redirectTo).searchParams.get("code") ?? "",
    client_id: clientId,
    redirect_uri: REDIRECT,
    code_verifier: VERIFIER,
  });
  return { access: body["access_token"] ?? "", refresh: body["refresh_token"] ?? "", clientId };
}

const sha256 = async (text: string) => {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
};

/** Longer than a key of KV can be, the first in bytes only. */
const tooLong = ["é".repeat(300), "x".repeat(3000)];

test.each(tooLong)("what is too long to be known is not known", async (text) => {
  const { server, own, keyring, worth, ask } = open(`alice:mcp:${KEY}`);
  expect(await worth(`alice:${text}:0123456789abcdef`)).toBeNull();
  const grants = [
    { grant_type: "authorization_code", code: `alice:${text}:0123456789abcdef` },
    { grant_type: "refresh_token", refresh_token: `alice:${text}:0123456789abcdef` },
  ];
  for (const grant of grants) {
    const { status } = await ask({
      ...grant,
      client_id: text,
      redirect_uri: REDIRECT,
      code_verifier: VERIFIER,
    });
    expect(status).toBe(401);
  }
  const allow = () => Promise.resolve(true);
  const app = createApp({
    settings: readSettings(own),
    server,
    keyring,
    allowAttempt: allow,
    allowRequest: allow,
  });
  const page = await app.fetch(
    new Request(`${ISSUER}/authorize?response_type=code&client_id=${encodeURIComponent(text)}`),
    own,
    context,
  );
  expect(page.status).toBe(400);
});

describe("what a key has granted", () => {
  test("is worth the scopes that were granted, for the resource that it is for, without what the grant remembers", async () => {
    const keys = `alice:mcp+admin:${KEY}`;
    const { access, clientId } = await signedIn(keys, ["mcp"]);
    expect(await open(keys).worth(access)).toEqual({
      audience: MCP,
      clientId,
      userId: "alice",
      scope: ["mcp"],
      expiresAt: expect.any(Number),
      props: {},
    });
    expect(await open(keys).worth(access, "https://other.example/mcp")).toBeNull();
    expect(await open(keys).worth(`${access}x`)).toBeNull();
    expect(await open(keys).worth("alice:0123456789abcdef:0123456789abcdef")).toBeNull();
    await expect(open(keys).worth(access, "https://foreign.example/mcp")).rejects.toThrow();
  });

  test.each<[string, (digest: string) => string, string[]]>([
    ["stays while the key does", () => `alice:mcp+admin:${KEY}`, ["mcp", "admin"]],
    [
      "stays when the key stands there as its hash",
      (hash) => `alice:mcp+admin:sha256=${hash}`,
      ["mcp", "admin"],
    ],
    ["stays beside a new key", () => `alice:mcp:${OTHER_KEY} alice:mcp+admin:${KEY}`, ["mcp", "admin"]],
    ["loses the scopes that the key loses", () => `alice:mcp:${KEY}`, ["mcp"]],
    ["gets none that the key gets", () => `alice:mcp+admin+metrics:${KEY}`, ["mcp", "admin"]],
    ["ends with the scope mcp", () => `alice:admin:${KEY}`, []],
    ["ends with the key", () => `bob:mcp:${OTHER_KEY}`, []],
    ["ends when a new key takes the place of the old one", () => `alice:mcp+admin:${OTHER_KEY}`, []],
    ["ends when somebody else gets the key", () => `bob:mcp+admin:${KEY}`, []],
  ])("%s", async (_, change, expected) => {
    const { access, refresh, clientId } = await signedIn(`alice:mcp+admin:${KEY}`, ["mcp", "admin"]);
    const after = open(change(await sha256(KEY)));
    const isOver = expected.length === 0;
    const scopesOf = async (token: string) => (await after.worth(token))?.scope ?? "no token";
    const scopes = isOver ? "no token" : expected;
    expect(await scopesOf(access)).toEqual(scopes);

    const refreshed = await after.ask({
      grant_type: "refresh_token",
      refresh_token: refresh,
      client_id: clientId,
    });
    expect(refreshed).toMatchObject(
      isOver
        ? { status: 400, body: { error: "invalid_grant" } }
        : { status: 200, body: { scope: expected.join(" ") } },
    );
    expect(await scopesOf(refreshed.body["access_token"] ?? "")).toEqual(scopes);
  });
});

describe("attempts without Cloudflare's binding", () => {
  test("are counted for each address and minute", async () => {
    let now = 0;
    const allow = createLimit(undefined, 2, () => now);
    expect([await allow("a"), await allow("a"), await allow("a"), await allow("b")]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    now = 59_999;
    expect(await allow("a")).toBe(false);
    now = 60_000;
    expect(await allow("a")).toBe(true);
  });

  test("are remembered of so many addresses, and no more get in", async () => {
    const allow = createLimit(undefined, 2, () => 0);
    for (let i = 0; i < 10_000; i++) await allow(`address ${i}`);
    expect(await allow("one more")).toBe(false);
    expect(await allow("address 0")).toBe(true);
  });
});

describe("variables", () => {
  test.each<[string, Partial<Env>, RegExp]>([
    ["an address without https", { SIGN_IN_URL: "http://sign-in.example" }, /^SIGN_IN_URL must/],
    ["an issuer with a path", { SIGN_IN_URL: `${ISSUER}/here` }, /^SIGN_IN_URL must/],
    ["no resource", { MCP_URL: " " }, /^MCP_URL must/],
    ["one wrong resource of two", { MCP_URL: `${MCP}, secret-text` }, /^MCP_URL must/],
    ["a wrong key", { API_KEYS: "alice:mcp:secret-text" }, /^API_KEYS: entry 1/],
    ["several", { API_KEYS: "", MCP_URL: "secret-text" }, /MCP_URL .*API_KEYS/],
  ])("%s is named, without its value", (_, wrong, message) => {
    const read = () => readSettings({ ...variables(`alice:mcp:${KEY}`), ...wrong });
    expect(read).toThrow(message);
    expect(read).not.toThrow(/secret-text/);
  });

  test("take localhost without https, and an issuer with a slash at its end", () => {
    const read = {
      ...variables(`alice:mcp:${KEY}`),
      SIGN_IN_URL: "http://localhost:8788/",
      MCP_URL: "http://127.0.0.1:8787/mcp",
    };
    expect(readSettings(read)).toMatchObject({
      issuer: "http://localhost:8788",
      resources: ["http://127.0.0.1:8787/mcp"],
    });
  });
});

test("a client with a metadata document is shown with its domain, and one without as unchecked", async () => {
  const asking = {
    clientName: "Claude",
    clientDomain: "claude.ai",
    redirectUri: "https://claude.ai/api/mcp/auth_callback",
    isLocal: false,
    scopes: ["mcp"] as const,
    resource: MCP,
    handle: "a-handle",
  };
  const page = String(await consentPage(asking, "nonce"));
  expect(page).toContain("<strong><bdi>claude.ai</bdi></strong>");
  expect(page).not.toContain("Nobody has checked");
  expect(page).not.toContain("program on your own computer");
  expect(String(await consentPage({ ...asking, clientDomain: undefined }, "nonce"))).toContain(
    "Nobody has checked",
  );
});
