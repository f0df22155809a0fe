// An app that takes tokens by the parts of the package answers as the whole Worker does.
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { Hono } from "hono";
import { beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { adminRoutes } from "../../src/public/admin.ts";
import { metadataRoutes, principalOf, requireKey, requireScope } from "../../src/public/auth.ts";
import { healthRoutes } from "../../src/public/health.ts";
import { defineServer, mcpRoutes } from "../../src/public/mcp.ts";
import { mcpSessions } from "../../src/public/session.ts";
import { ConfigurationError } from "../../src/public/settings.ts";
import { createWorker } from "../../src/public/worker.ts";
import { expectNoSecrets, keepSecret, logged } from "../support/captured-logs.ts";
import { clearWeb, createIssuer, putPages, type TestIssuer, webRequests } from "../support/issuer.ts";
import { initializeParams, messageOf, rowsOf } from "../support/mcp.ts";
import { bearer, createDatabase, environment, keys } from "../support/worker.ts";

const server = defineServer({
  name: "parts",
  version: "1.0.0",
  register(registering, { caller, requireScopes }) {
    const inputSchema = z.object({});
    registering.registerTool("who", { inputSchema }, (_, { http }) => ({
      content: [],
      structuredContent: { caller: { ...caller }, sdk: http?.authInfo },
    }));
    registering.registerTool("write", { inputSchema, scopeChallenge: requireScopes("notes:write") }, () => ({
      content: [],
    }));
  },
});

const worker = createWorker(server);

/** The same endpoint, in an app that has pages of its own. */
function createApp(): Hono {
  const app = new Hono();
  app.route("/", metadataRoutes("parts"));
  app.route("/mcp", mcpRoutes(server, { principal: principalOf, guard: requireScope("mcp") }));
  app.route("/operators", adminRoutes({ guard: requireScope("admin") }));
  app.get("/page", (c) => c.text("of the app"));
  app.onError((error, c) => c.text(`host: ${error.name}`, 500));
  app.notFound((c) => c.text("host: not found", 404));
  return app;
}

interface Door {
  fetch: (request: never, env: Env, context: ExecutionContext) => Response | Promise<Response>;
}

async function send(door: Door, env: Env, path: string, init: RequestInit = {}): Promise<Response> {
  const context = createExecutionContext();
  const request = new Request(`https://worker.test${path}`, init);
  const response = await door.fetch(request as never, env, context);
  await waitOnExecutionContext(context);
  expectNoSecrets(await response.clone().text());
  return response;
}

const post = (
  door: Door,
  env: Env,
  [method, params]: [method: string, params: object],
  headers: Record<string, string>,
) =>
  send(door, env, "/mcp", {
    method: "POST",
    headers: {
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });

const initialize: [string, object] = ["initialize", initializeParams];
const call = (name: string): [string, object] => ["tools/call", { name, arguments: {} }];
const as = (token: string) => ({ Authorization: `Bearer ${token}` });

async function open(door: Door, env: Env, headers: Record<string, string>): Promise<Record<string, string>> {
  const opened = await post(door, env, initialize, headers);
  expect(opened.status).toBe(200);
  return { ...headers, "Mcp-Session-Id": keepSecret(opened.headers.get("Mcp-Session-Id") ?? "") };
}

/** All of an answer but the id of its request. */
async function contentOf(response: Response) {
  const headers = Object.fromEntries(response.headers);
  delete headers["x-request-id"];
  return { status: response.status, headers, body: await response.text() };
}

let issuer: TestIssuer;
let env: Env;
let database: Awaited<ReturnType<typeof createDatabase>>;

beforeEach(async () => {
  await clearWeb();
  issuer = await createIssuer();
  await issuer.publish();
  database = await createDatabase();
  env = database.env({ OAUTH_ISSUERS: issuer.url });
});

describe("a refusal of the guard is that of the Worker", () => {
  const hourAgo = Math.floor(Date.now() / 1000) - 3600;

  test.each<[string, number, () => Promise<Record<string, string>>]>([
    ["nothing", 401, async () => ({})],
    ["a text that is no token", 401, async () => as("not-a-token-0123456789abcdef")],
    ["two tokens", 401, async () => ({ Authorization: "Bearer one two" })],
    ["a token that has expired", 401, async () => as(await issuer.token("zoe", "mcp", { exp: hourAgo }))],
    ["a token for another resource", 401, async () => as(await issuer.token("zoe", "mcp", { aud: "x" }))],
    ["a token of somebody else", 401, async () => as(await (await createIssuer()).token("zoe", "mcp"))],
    ["a token without the scope", 403, async () => as(await issuer.token("zoe", "health"))],
    ["a key without the scope", 403, async () => as(keys.health)],
  ])("%s: %i", async (_, status, presents) => {
    const headers = await presents();
    const [expected, answered] = [
      await post(worker, env, initialize, headers),
      await post(createApp(), env, initialize, headers),
    ];
    const refusals = logged("Token refused");
    const ids = [expected, answered].map((response) => response.headers.get("X-Request-Id"));
    expect(new Set(ids).size).toBe(2);
    expect(refusals.map((line) => line["request_id"])).toEqual(refusals.length === 0 ? [] : ids);
    expect(refusals[1]?.["reason"]).toBe(refusals[0]?.["reason"]);
    expect(answered.status).toBe(status);
    expect(answered.headers.get("WWW-Authenticate")).toContain("/.well-known/oauth-protected-resource/mcp");
    expect(await contentOf(answered)).toEqual(await contentOf(expected));
    expect(await rowsOf(database)).toEqual([]);
  });

  test("where no token is taken it is of JSON-RPC, and says nothing of tokens", async () => {
    const without = database.env();
    const answered = await post(createApp(), without, initialize, {});
    const expected = await contentOf(await post(worker, without, initialize, {}));
    expect(JSON.parse(expected.body)).toMatchObject({ jsonrpc: "2.0", error: { code: -32_000 } });
    expect(await contentOf(answered)).toEqual(expected);
  });

  test("while the issuer cannot be reached it is 503, and says when to come again", async () => {
    await issuer.publish({ metadata: { status: 500 }, keys: { status: 500 } });
    const headers = as(await issuer.token("zoe", "mcp"));
    const expected = await post(worker, env, initialize, headers);
    const answered = await post(createApp(), env, initialize, headers);
    expect([answered.status, answered.headers.get("Retry-After")]).toEqual([503, "5"]);
    expect(await contentOf(answered)).toEqual(await contentOf(expected));
    expect(logged("Authorization server unreachable")).toHaveLength(2);
    expect((await post(createApp(), env, initialize, as(keys.alice))).status).toBe(200);
  });
});

describe("behind the guard", () => {
  test("a session belongs to the person, and tools know who is asking", async () => {
    const app = createApp();
    const headers = await open(app, env, as(await issuer.token("zoe", "mcp notes:read")));
    const token = as(await issuer.token("zoe", "mcp notes:read"));
    const { result } = await messageOf(await post(app, env, call("who"), { ...headers, ...token }));
    const name = JSON.stringify([issuer.url, "zoe"]);
    expect(result?.["structuredContent"]).toMatchObject({
      caller: { kind: "person", name, subject: "zoe", clientId: "a client", scopes: ["mcp", "notes:read"] },
      sdk: { resourceMetadataUrl: "https://worker.test/.well-known/oauth-protected-resource/mcp" },
    });
    expect(await rowsOf(database)).toMatchObject([{ principal: name }]);
    const foreign = { ...headers, ...as(await issuer.token("yan", "mcp")) };
    expect((await post(app, env, call("who"), foreign)).status).toBe(404);
  });

  test("a call that lacks a scope is refused as in the Worker, and goes on with a token that has it", async () => {
    const app = createApp();
    const refused = async (door: Door) => {
      const headers = await open(door, env, as(await issuer.token("zoe", "mcp")));
      return { headers, answer: await post(door, env, call("write"), headers) };
    };
    const { answer: expected } = await refused(worker);
    const { headers, answer } = await refused(app);
    expect(answer.status).toBe(403);
    expect(answer.headers.get("WWW-Authenticate")).toMatch(/insufficient_scope.* scope="mcp notes:write"/);
    expect(answer.headers.get("WWW-Authenticate")).toBe(expected.headers.get("WWW-Authenticate"));
    expect(await answer.text()).toBe(await expected.text());
    const more = as(await issuer.token("zoe", "mcp notes:write"));
    expect((await post(app, env, call("write"), { ...headers, ...more })).status).toBe(200);
  });

  const opaque = keepSecret("opaque-token-of-a-person-0123");
  const claims = () => ({ sub: "zoe", scope: "mcp", client_id: "a client", aud: "https://worker.test/mcp" });

  test.each<[string, () => Promise<Record<string, string>>]>([
    [
      "introspection",
      async () => {
        const path = `/introspect-${crypto.randomUUID()}`;
        const exp = Math.floor(Date.now() / 1000) + 60;
        await putPages({ [path]: { body: { active: true, iss: issuer.url, exp, ...claims() } } });
        return {
          OAUTH_INTROSPECTION_URL: new URL(path, issuer.url).href,
          OAUTH_INTROSPECTION_CLIENT_ID: "the app",
          OAUTH_INTROSPECTION_CLIENT_SECRET: keepSecret("secret-of-the-app"),
        };
      },
    ],
    [
      "an authorization server in another Worker",
      async () => ({
        AUTHORIZATION_SERVER: {
          validateToken: async (resource: string, token: string) =>
            token === opaque && {
              audience: resource,
              clientId: "a client",
              userId: "zoe",
              scope: ["mcp"],
              expiresAt: Math.floor(Date.now() / 1000) + 60,
              props: {},
            },
        } as unknown as string,
      }),
    ],
  ])("%s says what a token is worth", async (_, variables) => {
    const asking = database.env({ OAUTH_ISSUERS: issuer.url, ...(await variables()) });
    const app = createApp();
    const headers = await open(app, asking, as(opaque));
    const { result } = await messageOf(await post(app, asking, call("who"), headers));
    expect(result?.["structuredContent"]).toMatchObject({ caller: { kind: "person", subject: "zoe" } });
  });

  test("whom Cloudflare Access lets in is an operator, and no client", async () => {
    const access = await createIssuer({ isAccess: true });
    await access.publish();
    const guarded = database.env({ ACCESS_TEAM_DOMAIN: access.url, ACCESS_AUDIENCE: "tag" });
    const assertion = await access.token("someone", undefined, { aud: "tag" });
    const headers = { "Cf-Access-Jwt-Assertion": assertion };
    const app = createApp();
    expect((await send(app, guarded, "/operators/sessions", { headers })).status).toBe(200);
    expect((await send(app, guarded, "/operators/sessions")).status).toBe(401);
    expect((await post(app, guarded, initialize, headers)).status).toBe(403);
  });

  test("all parts of an app fetch the keys of an issuer once", async () => {
    const app = createApp();
    const token = await issuer.token("zoe", "mcp admin");
    await open(app, env, as(token));
    expect((await send(app, env, "/operators/sessions", bearer(token))).status).toBe(200);
    const asked = (await webRequests()).map(({ path }) => path);
    expect(asked.filter((path) => path.endsWith("/keys"))).toHaveLength(1);
  });
});

describe("the metadata", () => {
  const paths = ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"];

  test.each(paths)("%s is that of the Worker, for every page to read", async (path) => {
    const expected = await contentOf(await send(worker, env, path));
    expect(expected).toMatchObject({
      status: 200,
      headers: { "cache-control": "public, max-age=3600", "access-control-allow-origin": "*" },
    });
    expect(await contentOf(await send(createApp(), env, path))).toEqual(expected);
    const preflight = {
      method: "OPTIONS",
      headers: { Origin: "https://page.test", "Access-Control-Request-Method": "GET" },
    };
    const asked = await send(createApp(), env, path, preflight);
    expect([asked.status, asked.headers.get("Access-Control-Allow-Origin")]).toEqual([204, "*"]);
  });

  test.each(paths)("%s is the app's own without OAUTH_ISSUERS", async (path) => {
    const answer = await send(createApp(), database.env(), path);
    expect([answer.status, await answer.text()]).toEqual([404, "host: not found"]);
    expect(answer.headers.get("Access-Control-Allow-Origin")).toBeNull();
  });

  test.each(paths)("%s served by itself takes a slash at the end", async (path) => {
    const expected = await contentOf(await send(worker, env, path));
    expect(await contentOf(await send(metadataRoutes("parts"), env, `${path}/`))).toEqual(expected);
  });

  test("the other routes of the app are as they were", async () => {
    const page = await send(createApp(), env, "/page");
    expect([page.status, await page.text()]).toEqual([200, "of the app"]);
    expect([...page.headers.keys()]).toEqual(["content-type"]);
  });
});

describe("a guard by itself", () => {
  test("answers before a handler of the app's own, whatever the app does with errors", async () => {
    const app = new Hono();
    app.all("/mcp", requireScope("mcp"), mcpSessions({ principal: principalOf }), (c) =>
      c.json({ jsonrpc: "2.0", id: 1, result: { protocolVersion: "2025-11-25", for: principalOf(c) } }),
    );
    app.get("/reports", requireScope("metrics"), () => {
      throw new TypeError("of the app");
    });
    app.onError((error, c) => c.text(`host: ${error.name}`, 500));
    const refused = await post(app, env, initialize, {});
    expect([refused.status, await refused.json()]).toMatchObject([401, { error: "invalid_token" }]);
    const opened = await post(app, env, initialize, as(await issuer.token("zoe", "mcp")));
    expect(await opened.json()).toMatchObject({ result: { for: JSON.stringify([issuer.url, "zoe"]) } });
    keepSecret(opened.headers.get("Mcp-Session-Id") ?? "");
    const report = await send(app, env, "/reports");
    expect([report.status, await report.json()]).toEqual([
      401,
      {
        error: {
          code: "unauthenticated",
          message: "A valid key or token is required",
          request_id: report.headers.get("X-Request-Id"),
        },
      },
    ]);
    const failed = await send(app, env, "/reports", bearer(keys.metrics));
    expect([failed.status, await failed.text()]).toEqual([500, "host: TypeError"]);
  });

  test("requireKey takes no token, and does not say where to get one", async () => {
    const app = new Hono();
    app.get("/mine", requireKey("mcp"), (c) => c.text(principalOf(c)));
    app.route("/session-health", healthRoutes());
    const token = await issuer.token("zoe", "mcp health");
    for (const path of ["/mine", "/session-health"]) {
      const refused = await send(app, env, path, bearer(token));
      expect(refused.status).toBe(401);
      expect(refused.headers.get("WWW-Authenticate")).not.toContain("resource_metadata");
    }
    expect(await (await send(app, env, "/mine", bearer(keys.alice))).text()).toBe("alice");
  });

  test("a wrong variable of OAuth is the app's to answer", async () => {
    const app = createApp();
    const wrong = environment({ OAUTH_ISSUERS: "http://issuer.example" });
    const thrown: Error[] = [];
    app.onError((error, c) => {
      thrown.push(error);
      return c.text("host", 500);
    });
    await send(app, wrong, "/.well-known/oauth-protected-resource");
    await post(app, wrong, initialize, as(keys.alice));
    // Each is right, but they are not right together.
    const half = environment({ OAUTH_AUDIENCE: "https://worker.test/mcp" });
    await send(app, half, "/.well-known/oauth-protected-resource");
    expect(thrown.map((error) => error instanceof ConfigurationError)).toEqual([true, true, true]);
    expect(String(thrown[0])).toContain("OAUTH_ISSUERS must be https addresses");
    expect(String(thrown[2])).toContain("OAUTH_ISSUERS must be set when");
  });
});
