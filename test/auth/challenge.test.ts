// What a client is told that is refused, and where it reads how to get a token.
import { beforeEach, describe, expect, test } from "vitest";
import {
  isScopeToken,
  keyChallenge,
  metadataUrlOf,
  resourceOf,
  scopesToAskFor,
  tokenChallenge,
  withBasic,
} from "../../src/auth/challenge.ts";
import type { TokenConfig } from "../../src/auth/token-settings.ts";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { clearWeb, createIssuer, type TestIssuer } from "../support/issuer.ts";
import { initializeParams, mcp } from "../support/mcp.ts";
import { bearer, createDatabase, environment, keys, send } from "../support/worker.ts";

const METADATA = "https://worker.test/.well-known/oauth-protected-resource/mcp";
const BASIC = 'Basic realm="mcp-sessions", charset="UTF-8"';
const unknown = keepSecret("unknown-key-0123456789abcdefgh");
const initialize = { method: "initialize", params: initializeParams };

describe("by itself", () => {
  const URL = "https://worker.test/session-health?x=1";

  test("a scope can be of the characters that RFC 6749 has for it, and of no others", () => {
    for (const scope of ["mcp", "!", "#[]~", "a:b/c.d-e"])
      expect([scope, isScopeToken(scope)]).toEqual([scope, true]);
    for (const scope of ["", '"mcp', 'mcp"', "m cp", " mcp", "mcp\\", "\\mcp", "é", "mcpé", "mcp\u007f"])
      expect([scope, isScopeToken(scope)]).toEqual([scope, false]);
  });

  test("the resource is /mcp, and its metadata has an address of its own, whatever the route", () => {
    expect(resourceOf(URL)).toBe("https://worker.test/mcp");
    expect(metadataUrlOf(URL)).toBe(METADATA);
  });

  test.each<[string | undefined, string[]]>([
    [undefined, ["mcp"]],
    ["scope", ["mcp"]],
    ["scp", ["mcp"]],
    ["roles", []],
  ])("of the claim %s a client asks for %j", (scopeClaim, scopes) => {
    const config: TokenConfig = {
      issuers: ["https://a.example"],
      audience: undefined,
      jwksUri: undefined,
      scopeMap: undefined,
      scopeClaim,
      introspection: undefined,
      authorizationServer: undefined,
    };
    expect(scopesToAskFor("mcp", config)).toEqual(scopes);
  });

  test("a challenge has what is known, in its order, and nothing that is not", () => {
    expect(keyChallenge({})).toBe('Bearer realm="mcp-sessions"');
    expect(keyChallenge({ error: "insufficient_scope", scopes: ["mcp", "health"] })).toBe(
      'Bearer realm="mcp-sessions", error="insufficient_scope", scope="mcp health"',
    );
    expect(tokenChallenge({}, URL)).toBe(`Bearer resource_metadata="${METADATA}"`);
    expect(tokenChallenge({ error: "invalid_token", description: "Why", scopes: ["a", "b"] }, URL)).toBe(
      `Bearer resource_metadata="${METADATA}", scope="a b", error="invalid_token", error_description="Why"`,
    );
    expect(withBasic("Bearer x")).toBe(`Bearer x, ${BASIC}`);
  });
});

let issuer: TestIssuer;

beforeEach(async () => {
  await clearWeb();
  issuer = await createIssuer();
  await issuer.publish();
});

/** Status, challenge and body of a response. */
const told = async (response: Response) => [
  response.status,
  response.headers.get("WWW-Authenticate"),
  await response.text(),
];

const jsonRpc = (message: string) =>
  `{"jsonrpc":"2.0","error":{"code":-32000,"message":"${message}"},"id":null}`;
const plain = (code: string, message: string) => (id: string | null) =>
  JSON.stringify({ error: { code, message, request_id: id } });

describe("without OAuth, to the byte", () => {
  const KEY = 'Bearer realm="mcp-sessions"';

  test("/mcp", async () => {
    const env = environment();
    expect(await told(await mcp(env, initialize, { headers: { Authorization: undefined } }))).toEqual([
      401,
      `${KEY}, ${BASIC}`,
      jsonRpc("A valid key is required"),
    ]);
    expect(await told(await mcp(env, initialize, { key: unknown }))).toEqual([
      401,
      `${KEY}, error="invalid_token", ${BASIC}`,
      jsonRpc("A valid key is required"),
    ]);
    expect(await told(await mcp(env, initialize, { key: await issuer.token("zoe", "mcp") }))).toEqual([
      401,
      `${KEY}, error="invalid_token", ${BASIC}`,
      jsonRpc("A valid key is required"),
    ]);
    expect(await told(await mcp(env, initialize, { key: keys.health }))).toEqual([
      403,
      `${KEY}, error="insufficient_scope", scope="mcp"`,
      jsonRpc("The key does not have the scope that this route needs"),
    ]);
    expect(logged("Token refused")).toEqual([]);
  });

  test("a route of the operator", async () => {
    const responses: [Response, number, string, (id: string | null) => string][] = [
      [
        await send(environment(), "/metrics"),
        401,
        `${KEY}, ${BASIC}`,
        plain("unauthenticated", "A valid key is required"),
      ],
      [
        await send(environment(), "/metrics", bearer(keys.admin)),
        403,
        `${KEY}, error="insufficient_scope", scope="metrics"`,
        plain("forbidden", "The key does not have the scope that this route needs"),
      ],
    ];
    for (const [response, status, challenge, body] of responses) {
      const id = response.headers.get("X-Request-Id");
      expect(await told(response)).toEqual([status, challenge, body(id)]);
    }
  });

  test.each(["", "/mcp", "/", "/mcp/"])("there is no metadata at …%s", async (path) => {
    const response = await send(environment(), `/.well-known/oauth-protected-resource${path}`);
    expect([response.status, response.headers.get("Access-Control-Allow-Origin")]).toEqual([404, null]);
    expect(await response.json()).toEqual({
      error: "not_found",
      error_description: "There is no such route",
    });
  });
});

describe("with OAuth", () => {
  const withOAuth = (variables: Record<string, string> = {}) =>
    environment({ OAUTH_ISSUERS: issuer.url, ...variables });
  const at = `Bearer resource_metadata="${METADATA}"`;
  const oauth = (error: string, error_description: string) => JSON.stringify({ error, error_description });

  test("/mcp says where to get a token, and for which scope, in OAuth's words", async () => {
    const env = withOAuth();
    expect(await told(await mcp(env, initialize, { headers: { Authorization: undefined } }))).toEqual([
      401,
      `${at}, scope="mcp"`,
      oauth("invalid_token", "A valid key or token is required"),
    ]);
    const expired = await issuer.token("zoe", "mcp", { exp: Math.floor(Date.now() / 1000) - 60 });
    expect(await told(await mcp(env, initialize, { key: expired }))).toEqual([
      401,
      `${at}, scope="mcp", error="invalid_token", error_description="The token has expired"`,
      oauth("invalid_token", "The token has expired"),
    ]);
    expect(await told(await mcp(env, initialize, { key: await issuer.token("zoe", "health") }))).toEqual([
      403,
      `${at}, scope="mcp", error="insufficient_scope", error_description="The token does not have the scope that this route needs"`,
      oauth("insufficient_scope", "The token does not have the scope that this route needs"),
    ]);
    expect(await told(await mcp(env, initialize, { key: keys.health }))).toEqual([
      403,
      `${at}, scope="mcp", error="insufficient_scope"`,
      oauth("insufficient_scope", "The key does not have the scope that this route needs"),
    ]);
  });

  test("a monitor that knows Basic alone is challenged for that, too, but not on /mcp", async () => {
    const response = await send(withOAuth(), "/session-health");
    const id = response.headers.get("X-Request-Id");
    expect(await told(response)).toEqual([
      401,
      `${at}, scope="health", ${BASIC}`,
      plain("unauthenticated", "A valid key or token is required")(id),
    ]);
  });

  test.each([
    ["the name of the issuer that gives the least", { OAUTH_SCOPES: "all=mcp+admin use=mcp" }, "use"],
    ["nothing, when no name gives it", { OAUTH_SCOPES: "ops=admin" }, undefined],
    ["nothing, when the issuer gives roles", { OAUTH_SCOPE_CLAIM: "roles" }, undefined],
    ["a name that a client can ask for", { OAUTH_SCOPES: '"=mcp a\\=mcp mcp:use=mcp+admin' }, "mcp:use"],
    ["our name, from the claim scp", { OAUTH_SCOPE_CLAIM: "scp" }, "mcp"],
  ])("a client asks for %s", async (_, variables, scope) => {
    const env = withOAuth(variables);
    const response = await mcp(env, initialize, { headers: { Authorization: undefined } });
    const expected = scope === undefined ? at : `${at}, scope="${scope}"`;
    expect(response.headers.get("WWW-Authenticate")).toBe(expected);
    const metadata = await (
      await send(env, "/.well-known/oauth-protected-resource/mcp")
    ).json<{
      scopes_supported?: string[];
    }>();
    expect(metadata.scopes_supported).toEqual(scope === undefined ? undefined : [scope]);
  });

  test("the metadata is the same at the root, for every page, and may be stored", async () => {
    const env = withOAuth({ OAUTH_ISSUERS: `${issuer.url}, https://other.example.com` });
    for (const path of ["", "/mcp", "/", "/mcp/"]) {
      const url = `/.well-known/oauth-protected-resource${path}`;
      const response = await send(env, url, { headers: { Origin: "https://inspector.example" } });
      expect([url, response.status, await response.json()]).toEqual([
        url,
        200,
        {
          resource: "https://worker.test/mcp",
          authorization_servers: [issuer.url, "https://other.example.com"],
          scopes_supported: ["mcp"],
          bearer_methods_supported: ["header"],
          resource_name: "test-server",
        },
      ]);
      expect(response.headers.get("Content-Type")).toMatch(/^application\/json/);
      expect(response.headers.get("Cache-Control")).toBe("public, max-age=3600");
      expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
      expect(response.headers.get("X-Request-Id")).not.toBeNull();

      const head = await send(env, url, { method: "HEAD" });
      expect([head.status, await head.text(), head.headers.get("Cache-Control")]).toEqual([
        200,
        "",
        "public, max-age=3600",
      ]);
      const preflight = await send(env, url, {
        method: "OPTIONS",
        headers: {
          Origin: "https://inspector.example",
          "Access-Control-Request-Method": "GET",
          "Access-Control-Request-Headers": "mcp-protocol-version",
        },
      });
      expect(preflight.status).toBe(204);
      expect(preflight.headers.get("Access-Control-Allow-Origin")).toBe("*");
      expect(preflight.headers.get("Access-Control-Allow-Headers")).toBe("mcp-protocol-version");
      const put = await send(env, url, { method: "PUT" });
      expect([put.status, put.headers.get("Allow"), put.headers.get("Cache-Control")]).toEqual([
        405,
        "GET, HEAD, OPTIONS",
        "no-store",
      ]);
      expect(await put.json()).toMatchObject({ error: "method_not_allowed" });
    }
  });

  test("other addresses of OAuth are not here", async () => {
    for (const path of [
      "/.well-known/oauth-authorization-server",
      "/.well-known/oauth-protected-resource/session-health",
      "/token",
      "/register",
    ])
      expect((await send(withOAuth(), path)).status).toBe(404);
  });

  test("a page goes from the refusal to the metadata: what it must read is exposed to it", async () => {
    const origin = "https://inspector.example";
    const env = (await createDatabase()).env({ OAUTH_ISSUERS: issuer.url, ALLOWED_ORIGINS: origin });
    const preflight = await send(env, "/mcp", {
      method: "OPTIONS",
      headers: {
        Origin: origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,mcp-protocol-version",
      },
    });
    expect([preflight.status, preflight.headers.get("WWW-Authenticate")]).toEqual([204, null]);
    const refused = await mcp(env, initialize, { headers: { Authorization: undefined, Origin: origin } });
    expect(refused.status).toBe(401);
    expect(refused.headers.get("Access-Control-Allow-Origin")).toBe(origin);
    expect(refused.headers.get("Access-Control-Expose-Headers")?.split(",")).toContain("WWW-Authenticate");
    const opened = await mcp(env, initialize, {
      key: await issuer.token("zoe", "mcp"),
      headers: { Origin: origin },
    });
    keepSecret(opened.headers.get("Mcp-Session-Id") ?? "");
    expect([opened.status, opened.headers.get("Access-Control-Allow-Origin")]).toEqual([200, origin]);
  });

  test.each([
    ["metadata", { metadata: { status: 500 } }],
    ["keys", { keys: { status: 500 } }],
  ] as const)("while the %s of the issuer cannot be read, nobody is signed out", async (source, instead) => {
    await issuer.publish(instead);
    const env = (await createDatabase()).env({ OAUTH_ISSUERS: issuer.url });
    const token = await issuer.token("zoe", "mcp health");
    for (const response of [
      await mcp(env, initialize, { key: token }),
      await send(env, "/session-health", bearer(token)),
    ]) {
      expect([response.status, response.headers.get("Retry-After")]).toEqual([503, "5"]);
      expect(response.headers.get("WWW-Authenticate")).toBeNull();
      expect(await response.text()).toContain("The authorization server cannot be reached");
    }
    expect(logged("Authorization server unreachable")).toEqual([
      expect.objectContaining({ level: "ERROR", source }),
      expect.objectContaining({ source }),
    ]);
    // Keys need no issuer.
    expect((await send(env, "/session-health", bearer(keys.health))).status).toBe(200);
  });

  test("a made-up key soon after a fetch signs nobody out, and is no error of the issuer in the log", async () => {
    await issuer.publish();
    const env = (await createDatabase()).env({ OAUTH_ISSUERS: issuer.url });
    expect((await send(env, "/session-health", bearer(await issuer.token("zoe", "health")))).status).toBe(
      200,
    );
    // Of the same issuer by its own word, and signed with another key.
    const impostor = await createIssuer();
    const made = await impostor.token("zoe", "health", { iss: issuer.url });
    const response = await send(env, "/session-health", bearer(made));
    expect([response.status, response.headers.get("Retry-After")]).toEqual([503, "5"]);
    expect(logged("Key of a token not known yet")).toEqual([expect.objectContaining({ level: "INFO" })]);
    expect(logged("Authorization server unreachable")).toEqual([]);
  });

  test("Access is not asked for whom presents something else", async () => {
    const access = await createIssuer({ isAccess: true });
    await access.publish();
    const env = (await createDatabase()).env({
      OAUTH_ISSUERS: issuer.url,
      ACCESS_TEAM_DOMAIN: access.url,
      ACCESS_AUDIENCE: "tag",
    });
    const assertion = await access.token("zoe", undefined, { aud: "tag" });
    const statusOf = async (headers: Record<string, string>) =>
      (await send(env, "/session-health", { headers: { ...headers, "Cf-Access-Jwt-Assertion": assertion } }))
        .status;
    expect(await statusOf({})).toBe(200);
    expect(await statusOf({ Authorization: `Bearer ${unknown}` })).toBe(401);
    expect(await statusOf({ Authorization: `Bearer ${keys.metrics}` })).toBe(403);
    expect(await statusOf({ "X-API-Key": unknown })).toBe(401);
    // A token goes into Authorization only, and an assertion of Access is none.
    expect(await statusOf({ "X-API-Key": await issuer.token("zoe", "health") })).toBe(401);
    expect((await send(env, "/session-health", bearer(assertion))).status).toBe(401);
  });
});
