// What a token must say, whoever says it: a JWT itself, the introspection of its issuer, or the bound authorization server.
import { beforeAll, expect, test } from "vitest";
import { keepSecret } from "../support/captured-logs.ts";
import {
  claimsOf,
  newKey,
  NOW_SECONDS,
  RESOURCE,
  serve,
  sign,
  type SigningKey,
  verifierOf,
  wordOf,
} from "../support/tokens.ts";

const ISSUER = "https://issuer.example/tenant";

let key: SigningKey;
beforeAll(async () => {
  key = await newKey("one");
});

type Claims = Record<string, unknown>;

/** Each way takes what is said of a token, and gives the verdict on it. */
const ways = {
  async jwt(claims: Claims) {
    const token = keepSecret(await sign(key, claims));
    return verifierOf({ OAUTH_ISSUERS: ISSUER }, serve({ [ISSUER]: [key] }))(token);
  },
  introspection(claims: Claims) {
    const variables = {
      OAUTH_ISSUERS: ISSUER,
      OAUTH_INTROSPECTION_URL: `${ISSUER}/introspect`,
      OAUTH_INTROSPECTION_CLIENT_ID: "worker",
      OAUTH_INTROSPECTION_CLIENT_SECRET: keepSecret("introspection-secret"),
    };
    const fetch = async () => Response.json({ active: true, ...claims });
    return verifierOf(variables, { fetch })(keepSecret("opaque-token-of-a-person"));
  },
  binding({ aud, exp, scope, sub, client_id: clientId, ...props }: Claims) {
    const scopes = typeof scope === "string" ? scope.split(" ") : scope;
    const answer = { audience: aud, expiresAt: exp, scope: scopes, userId: sub, clientId, props };
    const server = { validateToken: async () => answer };
    const fetch = async () => Promise.reject(new Error("Nothing is to be fetched"));
    return verifierOf(
      { OAUTH_ISSUERS: ISSUER, AUTHORIZATION_SERVER: server },
      { fetch },
    )(keepSecret("user:grant:secret-of-a-token"));
  },
};

const names = ["jwt", "introspection", "binding"] as const;
type Way = (typeof names)[number];

// What is said, the verdict, and the ways in which it can be said.
const table: [string, Claims, string, (readonly Way[])?][] = [
  ["all that is needed", {}, "accepted"],
  ["an audience with a slash at its end", { aud: `${RESOURCE}/` }, "accepted"],
  [
    "two audiences, one of them ours",
    { aud: ["https://x.example", RESOURCE] },
    "accepted",
    ["jwt", "introspection"],
  ],
  ["another audience", { aud: "https://other.example/mcp" }, "wrong_audience"],
  [
    "other audiences",
    { aud: ["https://x.example", "https://y.example"] },
    "wrong_audience",
    ["jwt", "introspection"],
  ],
  ["an empty list of audiences", { aud: [] }, "wrong_audience", ["jwt", "introspection"]],
  ["the origin as the audience", { aud: "https://worker.test" }, "wrong_audience"],
  ["an audience below ours", { aud: `${RESOURCE}/x` }, "wrong_audience"],
  ["an audience with two slashes", { aud: `${RESOURCE}//` }, "wrong_audience"],
  ["an audience in capitals", { aud: RESOURCE.toUpperCase() }, "wrong_audience"],
  ["an audience with a space", { aud: ` ${RESOURCE}` }, "wrong_audience"],
  ["no audience", { aud: undefined }, "wrong_audience", ["jwt", "introspection"]],
  [
    "an audience that is an object",
    { aud: { [RESOURCE]: true } },
    "wrong_audience",
    ["jwt", "introspection"],
  ],

  ["that it expired 29 seconds ago", { exp: NOW_SECONDS - 29 }, "accepted"],
  ["that it expired 30 seconds ago", { exp: NOW_SECONDS - 30 }, "expired"],
  ["that it expired 31 seconds ago", { exp: NOW_SECONDS - 31 }, "expired"],
  ["that it expired in 1970", { exp: 0 }, "expired"],
  ["no expiry", { exp: undefined }, "no_expiry"],
  ["an expiry that is a text", { exp: String(NOW_SECONDS + 300) }, "no_expiry", ["jwt", "introspection"]],
  ["null as its expiry", { exp: null }, "no_expiry", ["jwt", "introspection"]],
  ["that it is valid in 30 seconds", { nbf: NOW_SECONDS + 30 }, "accepted", ["jwt", "introspection"]],
  ["that it is valid in 31 seconds", { nbf: NOW_SECONDS + 31 }, "not_yet_valid", ["jwt", "introspection"]],
  ["a text as its beginning", { nbf: String(NOW_SECONDS) }, "not_yet_valid", ["jwt", "introspection"]],
  ["null as its beginning", { nbf: null }, "accepted", ["introspection"]],
  ["that it is valid since a second", { nbf: NOW_SECONDS - 1 }, "accepted", ["jwt", "introspection"]],

  ["no issuer", { iss: undefined }, "accepted", ["introspection"]],
  ["another issuer", { iss: "https://evil.example" }, "wrong_issuer", ["jwt", "introspection"]],
  ["its issuer with a slash", { iss: `${ISSUER}/` }, "wrong_issuer", ["jwt", "introspection"]],
  ["its issuer in capitals", { iss: ISSUER.toUpperCase() }, "wrong_issuer", ["jwt", "introspection"]],
  ["a list of issuers", { iss: [ISSUER] }, "wrong_issuer", ["introspection"]],

  ["no subject", { sub: undefined }, "no_subject"],
  ["an empty subject", { sub: "" }, "no_subject"],
  ["a number as its subject", { sub: 7 }, "no_subject", ["introspection"]],
  ["a subject of 255 characters", { sub: "s".repeat(255) }, "accepted"],
  ["a subject of 256 characters", { sub: "s".repeat(256) }, "no_subject"],
  ["a subject that makes a name too long for an operator to ask for", { sub: '"'.repeat(255) }, "no_subject"],
  ["a subject with a line in it", { sub: "alice\nbob" }, "no_subject"],
  ["a subject with U+0000", { sub: "alice\u0000" }, "no_subject"],
  ["a subject with a C1 control", { sub: "alice\u0085" }, "no_subject"],
  ["an unpaired surrogate in its subject", { sub: "alice\ud800" }, "no_subject", ["binding"]],
  ["a subject of other letters", { sub: "監視 Zoë" }, "accepted"],

  ["that it is a refresh token", { token_type: "refresh_token" }, "not_an_access_token", ["introspection"]],
  ["that it is an ID token, by at_hash", { at_hash: "x" }, "not_an_access_token", ["jwt"]],
  ["that it is an ID token, by c_hash", { c_hash: "x" }, "not_an_access_token", ["jwt"]],
  ["that it is an ID token, by token_use", { token_use: "id" }, "not_an_access_token", ["jwt"]],
  ["that it is an ID token, by typ", { typ: "ID" }, "not_an_access_token", ["jwt"]],
  ["that it is a refresh token, by typ", { typ: "Refresh" }, "not_an_access_token", ["jwt"]],
  ["that it ends a session", { events: {} }, "not_an_access_token", ["jwt"]],
  ["that it is an access token, by token_use", { token_use: "access" }, "accepted", ["jwt"]],
  ["that it is a bearer token, by typ", { typ: "Bearer" }, "accepted", ["jwt"]],
];

const cases = table.flatMap(([said, changes, verdict, only = names]) =>
  only.map((way): [Way, string, Claims, string] => [way, said, changes, verdict]),
);

test.each(cases)("%s says %s", async (way, _, changes, verdict) => {
  const claims = Object.entries(claimsOf(ISSUER, changes)).filter(([, value]) => value !== undefined);
  expect(wordOf(await ways[way](Object.fromEntries(claims)))).toBe(verdict);
});

test.each(names)("%s: whose it is, for what, by which client, until when", async (way) => {
  const verdict = await ways[way](claimsOf(ISSUER, { scope: "health mcp openid", team: "red" }));
  expect(verdict).toMatchObject({
    kind: "accepted",
    principal: {
      name: JSON.stringify([ISSUER, "alice"]),
      scopes: ["health", "mcp"],
      label: expect.stringMatching(/^person:[0-9a-f]{8}$/),
      token: {
        issuer: ISSUER,
        subject: "alice",
        clientId: "inspector",
        scopes: ["health", "mcp", "openid"],
        claims: { team: "red" },
        expiresAt: new Date((NOW_SECONDS + 300) * 1000),
      },
    },
  });
});

test("one person is one principal, whichever way the token is verified", async () => {
  const verdicts = await Promise.all(names.map((way) => ways[way](claimsOf(ISSUER))));
  const principals = verdicts.map((verdict) => (verdict.kind === "accepted" ? verdict.principal : undefined));
  expect(new Set(principals.map((principal) => principal?.name)).size).toBe(1);
  expect(new Set(principals.map((principal) => principal?.label)).size).toBe(1);
});

test.each([
  ["api://sessions", "api://sessions"],
  ["api://sessions/", "api://sessions"],
  ["api://sessions", "api://sessions/"],
  ["api://sessions/", "api://sessions/"],
])("with OAUTH_AUDIENCE %s a token for %s is taken, and none for the address", async (own, aud) => {
  const verify = verifierOf({ OAUTH_ISSUERS: ISSUER, OAUTH_AUDIENCE: own }, serve({ [ISSUER]: [key] }));
  expect(wordOf(await verify(await sign(key, claimsOf(ISSUER, { aud }))))).toBe("accepted");
  expect(wordOf(await verify(await sign(key, claimsOf(ISSUER))))).toBe("wrong_audience");
});
