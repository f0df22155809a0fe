// Who says what a token is worth cannot be reached, or answers nonsense: nothing is known of the token, so it is not refused.
import { beforeAll, describe, expect, test } from "vitest";
import type { VerifierDeps } from "../../src/auth/jwt.ts";
import { keepSecret } from "../support/captured-logs.ts";
import {
  claimsOf,
  configured,
  newKey,
  NOW,
  serve,
  sign,
  type SigningKey,
  verifierOf,
} from "../support/tokens.ts";

const ISSUER = "https://issuer.example";
const TOKEN = keepSecret("opaque-token-of-a-person");

let key: SigningKey;
beforeAll(async () => {
  key = await newKey("one");
});

const noFetch: VerifierDeps["fetch"] = async () => Promise.reject(new Error("Nothing is to be fetched"));

describe("introspection", () => {
  const variables = {
    OAUTH_ISSUERS: ISSUER,
    OAUTH_INTROSPECTION_URL: `${ISSUER}/introspect`,
    OAUTH_INTROSPECTION_CLIENT_ID: "the worker",
    OAUTH_INTROSPECTION_CLIENT_SECRET: keepSecret("p+ss:wörd/of the worker"),
  };

  test.each<[string, () => Response | Promise<never>]>([
    ["no connection", () => Promise.reject(new TypeError("Network connection lost."))],
    ["500", () => new Response("down", { status: 500 })],
    ["200 with an error", () => Response.json({ error: "server_error" })],
    ["500 with an answer", () => Response.json({ active: false }, { status: 500 })],
    ["that our own secret is wrong", () => Response.json({ error: "invalid_client" }, { status: 401 })],
    ["a redirect", () => new Response(null, { status: 302, headers: { Location: "https://evil.example" } })],
    ["a page", () => new Response("<html>", { headers: { "Content-Type": "text/html" } })],
    ["a list", () => Response.json([{ active: true }])],
    ["null", () => Response.json(null)],
    ["active as a text", () => Response.json({ ...claimsOf(ISSUER), active: "true" })],
    ["nothing", () => new Response(null, { status: 204 })],
    ["too much", () => new Response(`{"active":true,"x":"${"x".repeat(300_000)}"}`)],
  ])("%s says nothing of the token", async (_, answer) => {
    const verdict = await verifierOf(variables, { fetch: async () => answer() })(TOKEN);
    expect(verdict).toEqual({ kind: "unavailable", source: "introspection" });
  });

  test.each([{ active: false }, { ...claimsOf(ISSUER), active: false }])(
    "%o: the token is refused",
    async (answer) => {
      const verdict = await verifierOf(variables, { fetch: async () => Response.json(answer) })(TOKEN);
      expect(verdict).toEqual({ kind: "refused", reason: "unknown_token" });
    },
  );

  test("the token stands in the body, and our secret in Basic, each part encoded as a form", async () => {
    const seen: [string, RequestInit][] = [];
    const fetch: VerifierDeps["fetch"] = async (url, init) => {
      seen.push([url, init]);
      return Response.json({ active: false });
    };
    await verifierOf(variables, { fetch })(TOKEN);
    const [[url, init] = ["", {}]] = seen;
    expect([seen.length, url, init.method, init.redirect]).toEqual([
      1,
      `${ISSUER}/introspect`,
      "POST",
      "manual",
    ]);
    expect(init.body).toBe(`token=${TOKEN}&token_type_hint=access_token`);
    const credentials = keepSecret(btoa("the+worker:p%2Bss%3Aw%C3%B6rd%2Fof+the+worker"));
    expect(new Headers(init.headers).get("Authorization")).toBe(`Basic ${credentials}`);
  });

  test("a revoked token is refused at once", async () => {
    let active = true;
    const fetch = async () => Response.json({ ...claimsOf(ISSUER), active });
    const verify = verifierOf(variables, { fetch });
    expect((await verify(TOKEN)).kind).toBe("accepted");
    active = false;
    expect((await verify(TOKEN)).kind).toBe("refused");
  });

  test("JWTs of the issuer are verified by its keys, and others asked for", async () => {
    const { fetch, asked } = serve({ [ISSUER]: [key] });
    const verify = verifierOf(variables, { fetch });
    expect((await verify(keepSecret(await sign(key, claimsOf(ISSUER))))).kind).toBe("accepted");
    expect(asked).not.toContain(variables.OAUTH_INTROSPECTION_URL);
    await verify(keepSecret(await sign(key, claimsOf("https://evil.example"))));
    expect(asked.at(-1)).toBe(variables.OAUTH_INTROSPECTION_URL);
  });
});

describe("the bound authorization server", () => {
  const variablesOf = (validateToken: (resource: string, token: string) => Promise<unknown>) => ({
    OAUTH_ISSUERS: ISSUER,
    AUTHORIZATION_SERVER: { validateToken },
  });
  const good = { audience: "https://worker.test/mcp", expiresAt: NOW.getTime() / 1000 + 60, userId: "alice" };

  test.each<[string, () => Promise<unknown>]>([
    ["an error", () => Promise.reject(new Error(`It has seen ${TOKEN}`))],
    ["undefined as its error", () => Promise.reject()],
    ["no answer, ever", () => new Promise(() => {})],
    ["a text", async () => "alice"],
    ["a truth", async () => true],
    ["no audience", async () => ({ ...good, audience: undefined })],
    ["an expiry that is a text", async () => ({ ...good, expiresAt: "tomorrow" })],
    ["scopes that are a text", async () => ({ ...good, scope: "mcp" })],
    ["a number as its user", async () => ({ ...good, userId: 7 })],
  ])("%s says nothing of the token", async (_, answer) => {
    const verdict = await verifierOf(variablesOf(answer), { fetch: noFetch })(TOKEN);
    expect(verdict).toEqual({ kind: "unavailable", source: "binding" });
  });

  test.each([null, undefined])("%s: the token is refused", async (answer) => {
    const verdict = await verifierOf(
      variablesOf(async () => answer),
      { fetch: noFetch },
    )(TOKEN);
    expect(verdict).toEqual({ kind: "refused", reason: "unknown_token" });
  });

  test.each([
    [{}, "https://worker.test/mcp"],
    [{ OAUTH_AUDIENCE: "https://public.example/mcp" }, "https://public.example/mcp"],
  ])("with %o it is asked for the resource %s", async (variables, resource) => {
    const asked: unknown[] = [];
    const binding = variablesOf(async (...all) => void asked.push(all));
    await verifierOf({ ...binding, ...variables }, { fetch: noFetch })(TOKEN);
    expect(asked).toEqual([[resource, TOKEN]]);
  });

  test.each([undefined, null, [], "x"])("props may be %o", async (props) => {
    const verdict = await verifierOf(
      variablesOf(async () => ({ ...good, scope: ["mcp"], props })),
      { fetch: noFetch },
    )(TOKEN);
    expect(verdict).toMatchObject({
      kind: "accepted",
      principal: { scopes: ["mcp"], token: { claims: {} } },
    });
  });

  test("a token that is longer than 8 KiB is not even asked for", async () => {
    const verify = verifierOf(
      variablesOf(() => Promise.reject(new Error("It is asked"))),
      { fetch: noFetch },
    );
    expect(await verify("x".repeat(8193))).toEqual({ kind: "refused", reason: "too_large" });
    expect((await verify("x".repeat(8192))).kind).toBe("unavailable");
  });
});

test("a fetch that never ends keeps no other request waiting", async () => {
  const { fetch } = serve({ [ISSUER]: [key] });
  let isStuck = true;
  const { promise: waiting, resolve: waits } = Promise.withResolvers<void>();
  const verify = verifierOf(
    { OAUTH_ISSUERS: ISSUER },
    // As of a request that its client has cancelled: nothing settles its promises.
    {
      async fetch(url, init) {
        if (!isStuck || !url.endsWith("/keys")) return fetch(url, init);
        waits();
        return new Promise(() => {});
      },
    },
  );
  const token = keepSecret(await sign(key, claimsOf(ISSUER)));
  void verify(token);
  await waiting;
  isStuck = false;
  expect((await verify(token)).kind).toBe("accepted");
});

test("without introspection and a bound server, a token that is no JWT is refused without a question", async () => {
  const verdict = await verifierOf({ OAUTH_ISSUERS: ISSUER }, { fetch: noFetch })(TOKEN);
  expect(verdict).toEqual({ kind: "refused", reason: "malformed" });
});

test("without its variables no token is taken", () => {
  const { tokens, access } = configured({});
  expect([tokens, access]).toEqual([undefined, undefined]);
});
