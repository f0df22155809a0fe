// Whom the guard lets in, and what it says to the others. Each way through the whole Worker: matrix.test.ts, challenge.test.ts.
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import type { Scope } from "../../src/auth/api-keys.ts";
import { type Authentication, requireScope } from "../../src/auth/guard.ts";
import type { Principal } from "../../src/auth/principal.ts";
import type { Verdict } from "../../src/auth/verdict.ts";
import { vouchFor } from "../../src/auth/vouched.ts";
import { AppError, statusOf } from "../../src/http/errors.ts";
import type { RequestVariables } from "../../src/http/request-log.ts";
import { logged } from "../support/captured-logs.ts";

const METADATA = 'resource_metadata="https://worker.test/.well-known/oauth-protected-resource/mcp"';
const REALM = 'Bearer realm="mcp-sessions"';
const BASIC = 'Basic realm="mcp-sessions", charset="UTF-8"';

const holder: Principal = { name: "monitor", label: "monitor", scopes: ["health"] };
const bearer = (...scopes: Scope[]): Principal => ({
  name: '["i","s"]',
  label: "person:01234567",
  scopes,
  token: {
    issuer: "i",
    subject: "s",
    clientId: undefined,
    scopes: [],
    claims: {},
    expiresAt: new Date("2026-11-26T12:00:00Z"),
  },
});
const accepted = (...scopes: Scope[]): Verdict => ({ kind: "accepted", principal: bearer(...scopes) });

/** A route behind the guard, and what its verifiers were asked. */
function guarded(scope: Scope, { tokens, access }: { tokens?: Verdict; access?: Verdict } = {}) {
  const asked: string[][] = [];
  const verifies = (verdict: Verdict) => async (token: string, resource: string) => {
    asked.push([token, resource]);
    return verdict;
  };
  const authentication: Authentication = {
    authenticate: async (key) => (key === "the-key" ? holder : undefined),
    tokens: tokens && {
      config: {
        issuers: ["https://issuer.example"],
        audience: undefined,
        jwksUri: undefined,
        scopeMap: undefined,
        scopeClaim: undefined,
        introspection: undefined,
        authorizationServer: undefined,
      },
      verify: verifies(tokens),
    },
    verifyAccess: access && verifies(access),
  };
  const app = new Hono<{ Variables: RequestVariables }>()
    .use(async (c, next) => {
      c.set("requestId", "the request");
      await next();
    })
    .all("/route", requireScope(authentication, scope), (c) => c.text(c.get("principal")?.label ?? "nobody"))
    .onError((error, c) =>
      error instanceof AppError
        ? new Response(error.message, { status: statusOf(error.code), headers: error.headers })
        : c.text("not ours", 500),
    );
  const ask = async (headers: Record<string, string> = {}, method = "GET") => {
    const response = await app.request("https://worker.test/route", { method, headers });
    return [response.status, await response.text(), response.headers.get("WWW-Authenticate")];
  };
  return { app, ask, asked };
}
const withBearer = (key: string) => ({ Authorization: `Bearer ${key}` });
const withAccess = (more: Record<string, string> = {}) => ({
  "Cf-Access-Jwt-Assertion": "assertion",
  ...more,
});

describe("where keys alone are taken", () => {
  const UNKNOWN = "A valid key is required";
  const FORM = "Authorization must be Bearer and a key, or Basic with a key as the password";

  test("the holder of a key comes in, and the route knows who it is", async () => {
    expect(await guarded("health").ask(withBearer("the-key"))).toEqual([200, "monitor", null]);
  });

  test.each<[Record<string, string>, string, string]>([
    [{}, UNKNOWN, `${REALM}, ${BASIC}`],
    [withBearer("other"), UNKNOWN, `${REALM}, error="invalid_token", ${BASIC}`],
    [withBearer("with:colon"), FORM, `${REALM}, error="invalid_token", ${BASIC}`],
    [withAccess(), UNKNOWN, `${REALM}, ${BASIC}`],
  ])("%o is 401, and no line of the log", async (headers, message, challenge) => {
    expect(await guarded("health").ask(headers)).toEqual([401, message, challenge]);
    expect(logged("Token refused")).toEqual([]);
  });

  test("a key without the scope is 403, and no line of the log", async () => {
    expect(await guarded("metrics").ask(withBearer("the-key"))).toEqual([
      403,
      "The key does not have the scope that this route needs",
      `${REALM}, error="insufficient_scope", scope="metrics"`,
    ]);
    expect(logged("Token refused")).toEqual([]);
  });
});

describe("where tokens are taken, too", () => {
  test("a key is asked for first, and then the token is verified for /mcp", async () => {
    const { ask, asked } = guarded("health", { tokens: accepted("health") });
    expect(await ask(withBearer("the-key"))).toEqual([200, "monitor", null]);
    expect(asked).toEqual([]);
    expect(await ask(withBearer("with:colon"))).toEqual([200, "person:01234567", null]);
    expect(asked).toEqual([["with:colon", "https://worker.test/mcp"]]);
  });

  test("a token stands in Bearer alone", async () => {
    const { ask, asked } = guarded("health", { tokens: accepted("health") });
    for (const headers of [{ "X-API-Key": "token" }, { Authorization: `Basic ${btoa("a:token")}` }])
      expect((await ask(headers)).slice(0, 2)).toEqual([401, "A valid key is required"]);
    expect(asked).toEqual([]);
  });

  test("what is no token by its form is refused, with a line of the log", async () => {
    const { ask } = guarded("health", { tokens: accepted("health") });
    const FORM = "Authorization must be Bearer and a key, or Basic with a key as the password";
    expect(await ask(withBearer("(x)"))).toEqual([
      401,
      FORM,
      `Bearer ${METADATA}, scope="health", error="invalid_token", error_description="${FORM}", ${BASIC}`,
    ]);
    expect(logged("Token refused")).toEqual([
      expect.objectContaining({ level: "INFO", reason: "malformed", request_id: "the request" }),
    ]);
  });

  test("who presents nothing is asked for a key or a token, and for Basic everywhere but on /mcp", async () => {
    const message = "A valid key or token is required";
    expect(await guarded("health", { tokens: accepted() }).ask()).toEqual([
      401,
      message,
      `Bearer ${METADATA}, scope="health", ${BASIC}`,
    ]);
    expect(await guarded("mcp", { tokens: accepted() }).ask()).toEqual([
      401,
      message,
      `Bearer ${METADATA}, scope="mcp"`,
    ]);
    expect(logged("Token refused")).toEqual([]);
  });

  test("a token that is refused is 401 with the reason in words, and in the log", async () => {
    const { ask } = guarded("mcp", { tokens: { kind: "refused", reason: "expired" } });
    expect(await ask(withBearer("token"))).toEqual([
      401,
      "The token has expired",
      `Bearer ${METADATA}, scope="mcp", error="invalid_token", error_description="The token has expired"`,
    ]);
    expect(logged("Token refused")).toEqual([
      expect.objectContaining({ reason: "expired", request_id: "the request" }),
    ]);
  });

  test("a token without the scope is 403, and the log says whose it is", async () => {
    const message = "The token does not have the scope that this route needs";
    expect(await guarded("metrics", { tokens: accepted("mcp") }).ask(withBearer("token"))).toEqual([
      403,
      message,
      `Bearer ${METADATA}, scope="metrics", error="insufficient_scope", error_description="${message}"`,
    ]);
    expect(logged("Token refused")).toEqual([
      expect.objectContaining({
        reason: "insufficient_scope",
        principal: "person:01234567",
        request_id: "the request",
      }),
    ]);
  });

  test("while nobody can say what a token is worth, it is 503 and an error in the log", async () => {
    const { app } = guarded("mcp", { tokens: { kind: "unavailable", source: "metadata" } });
    const response = await app.request("https://worker.test/route", { headers: withBearer("token") });
    expect([response.status, response.headers.get("Retry-After")]).toEqual([503, "5"]);
    expect(logged("Authorization server unreachable")).toEqual([
      expect.objectContaining({ level: "ERROR", source: "metadata", request_id: "the request" }),
    ]);
    expect(logged("Key of a token not known yet")).toEqual([]);
  });

  test("a key of a token that is not known yet is 503, and no error", async () => {
    const { ask } = guarded("mcp", { tokens: { kind: "unavailable", source: "new_keys" } });
    expect((await ask(withBearer("token")))[0]).toBe(503);
    expect(logged("Key of a token not known yet")).toEqual([
      expect.objectContaining({ level: "INFO", request_id: "the request" }),
    ]);
    expect(logged("Authorization server unreachable")).toEqual([]);
  });
});

describe("where Access stands in front", () => {
  const LABEL = "person:01234567";
  const FOREIGN = "https://evil.example";

  test("it vouches for who presents nothing else", async () => {
    const { ask, asked } = guarded("health", { access: accepted("health") });
    expect(await ask(withAccess())).toEqual([200, LABEL, null]);
    expect(asked).toEqual([["assertion", "https://worker.test/mcp"]]);
    expect(await ask(withAccess(withBearer("the-key")))).toEqual([200, "monitor", null]);
    for (const headers of [withAccess(withBearer("other")), {}]) expect((await ask(headers))[0]).toBe(401);
    expect(asked).toHaveLength(1);
  });

  test.each<[Scope, string, string | undefined, boolean]>([
    ["admin", "POST", FOREIGN, false],
    ["admin", "DELETE", FOREIGN, false],
    ["admin", "POST", "https://worker.test", true],
    ["admin", "POST", undefined, true],
    ["admin", "GET", FOREIGN, true],
    ["admin", "HEAD", FOREIGN, true],
    // Which pages may use /mcp is judged elsewhere.
    ["mcp", "POST", FOREIGN, true],
  ])("on a route of %s, %s from the page %s is let in: %s", async (scope, method, origin, isLetIn) => {
    const { ask } = guarded(scope, { access: accepted(scope) });
    const more: Record<string, string> = origin === undefined ? {} : { Origin: origin };
    const told = isLetIn ? [200] : [403, "The Origin is not allowed"];
    expect((await ask(withAccess(more), method)).slice(0, told.length)).toEqual(told);
  });
});

test("a request that another Worker vouches for needs nothing else, but the scope", async () => {
  const { app } = guarded("health");
  const vouched = (principal: Principal) =>
    app.fetch(vouchFor(new Request("https://worker.test/route"), principal));
  const response = await vouched(bearer("health"));
  expect([response.status, await response.text()]).toEqual([200, "person:01234567"]);
  expect((await vouched(bearer("mcp"))).status).toBe(403);
});
