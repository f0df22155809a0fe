// Which scopes of ours a token gives: by the claim that has them, and by the map of the operator.
import { beforeAll, describe, expect, test } from "vitest";
import { parseScopeMap } from "../../src/auth/scope-map.ts";
import { keepSecret } from "../support/captured-logs.ts";
import { claimsOf, newKey, serve, sign, type SigningKey, verifierOf } from "../support/tokens.ts";

const ISSUER = "https://issuer.example";

let key: SigningKey;
beforeAll(async () => {
  key = await newKey("one");
});

type Claims = Record<string, unknown>;

async function scopesOf(way: string, variables: object, changes: Claims) {
  const claims = claimsOf(ISSUER, { scope: undefined, ...changes });
  const verify =
    way === "jwt"
      ? verifierOf({ OAUTH_ISSUERS: ISSUER, ...variables }, serve({ [ISSUER]: [key] }))
      : verifierOf(
          {
            OAUTH_ISSUERS: ISSUER,
            OAUTH_INTROSPECTION_URL: `${ISSUER}/introspect`,
            OAUTH_INTROSPECTION_CLIENT_ID: "worker",
            OAUTH_INTROSPECTION_CLIENT_SECRET: "secret",
            ...variables,
          },
          { fetch: async () => Response.json({ active: true, ...claims }) },
        );
  const verdict = await verify(way === "jwt" ? keepSecret(await sign(key, claims)) : "opaque");
  return verdict.kind === "accepted" ? verdict.principal.scopes : verdict;
}

const map = "api://app/Sessions.Use=mcp, https://x.example/ops=health+metrics+admin tool:run=mcp a=b=health";

describe.each(["jwt", "introspection"])("%s", (way) => {
  test.each<[string, object, Claims, string[]]>([
    ["our names in scope", {}, { scope: "mcp admin" }, ["mcp", "admin"]],
    ["our names in scp, as a list", {}, { scp: ["health", "metrics"] }, ["health", "metrics"]],
    ["scope before scp", {}, { scope: "mcp", scp: "admin" }, ["mcp"]],
    ["an empty scope before scp", {}, { scope: "", scp: "admin" }, []],
    ["a scope twice", {}, { scope: "mcp mcp" }, ["mcp"]],
    ["many spaces", {}, { scope: "  mcp   health " }, ["health", "mcp"]],
    ["no scope", {}, {}, []],
    ["names that are not ours", {}, { scope: "openid mcp:read MCP mcp," }, []],
    ["a scope in another case", {}, { scope: "Admin ADMIN" }, []],
    ["a name of Object's", {}, { scope: "constructor __proto__ toString" }, []],
    ["a scope that is an object", {}, { scope: { mcp: true } }, []],
    ["a list with other things in it", {}, { scope: ["mcp", 1, null, ["admin"], { admin: 1 }] }, ["mcp"]],
    ["words within a list", {}, { scope: ["mcp admin"] }, []],

    ["their names", { OAUTH_SCOPES: map }, { scope: "api://app/Sessions.Use" }, ["mcp"]],
    [
      "one of theirs for three of ours",
      { OAUTH_SCOPES: map },
      { scope: "https://x.example/ops" },
      ["health", "metrics", "admin"],
    ],
    ["a name with a colon", { OAUTH_SCOPES: map }, { scope: "tool:run" }, ["mcp"]],
    ["a name with an equals sign", { OAUTH_SCOPES: map }, { scope: "a=b" }, ["health"]],
    ["our names, when the map does not have them", { OAUTH_SCOPES: map }, { scope: "mcp admin" }, []],
    ["the beginning of a name", { OAUTH_SCOPES: map }, { scope: "tool: tool:run2" }, []],
    ["a name of Object's, with a map", { OAUTH_SCOPES: map }, { scope: "constructor __proto__" }, []],
    ["a name that is listed twice", { OAUTH_SCOPES: "x=mcp,x=admin" }, { scope: "x" }, ["mcp", "admin"]],

    ["the claim that is named", { OAUTH_SCOPE_CLAIM: "permissions" }, { permissions: ["admin"] }, ["admin"]],
    [
      "only the claim that is named",
      { OAUTH_SCOPE_CLAIM: "permissions" },
      { scope: "admin", scp: "admin" },
      [],
    ],
    [
      "a claim that is an address",
      { OAUTH_SCOPE_CLAIM: "https://x.example/roles" },
      { "https://x.example/roles": "mcp" },
      ["mcp"],
    ],
    ["a claim of Object's", { OAUTH_SCOPE_CLAIM: "constructor" }, {}, []],
    [
      "roles and a map",
      { OAUTH_SCOPE_CLAIM: "roles", OAUTH_SCOPES: "Ops.Admin=admin" },
      { roles: ["Ops.Admin", "mcp"] },
      ["admin"],
    ],
  ])("%s: %o and %o give %o", async (_, variables, changes, scopes) => {
    expect(await scopesOf(way, variables, changes)).toEqual(scopes);
  });
});

test("the bound server's scopes go through the map, too", async () => {
  const server = {
    validateToken: async (audience: string) => ({
      audience,
      expiresAt: 4e9,
      userId: "alice",
      scope: ["use", "admin"],
    }),
  };
  const verify = verifierOf(
    { OAUTH_ISSUERS: ISSUER, OAUTH_SCOPES: "use=mcp", AUTHORIZATION_SERVER: server },
    { fetch: async () => Promise.reject(new Error("Nothing is to be fetched")) },
  );
  expect(await verify("user:grant:secret")).toMatchObject({
    principal: { scopes: ["mcp"], token: { scopes: ["use", "admin"] } },
  });
});

test.each([
  ["", "must have an entry theirs=ours"],
  [" , ", "must have an entry theirs=ours"],
  ["mcp", "entry 1: must be theirs=ours"],
  ["=mcp", "entry 1: must be theirs=ours"],
  ["a=mcp, b=", "entry 2: ours must be of health, metrics, mcp, admin, joined with +"],
  ["a=root", "entry 1: ours must be of health, metrics, mcp, admin, joined with +"],
  ["a=mcp+", "entry 1: ours must be of health, metrics, mcp, admin, joined with +"],
  ["a=MCP", "entry 1: ours must be of health, metrics, mcp, admin, joined with +"],
])("a map %o is refused by the position of the entry", (value, problem) => {
  expect(parseScopeMap(value).problems).toEqual([problem]);
});
