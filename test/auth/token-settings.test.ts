// The variables of OAuth and of Cloudflare Access: what each takes, and which go together.
import { describe, expect, test } from "vitest";
import { ConfigurationError } from "../../src/settings.ts";
import { configured } from "../support/tokens.ts";

const ISSUER = "https://issuer.example/tenant";
const introspection = {
  OAUTH_INTROSPECTION_URL: "https://issuer.example/introspect",
  OAUTH_INTROSPECTION_CLIENT_ID: "worker",
  OAUTH_INTROSPECTION_CLIENT_SECRET: "secret",
};
const server = { validateToken: async () => null };

function problemsOf(variables: object): Record<string, string> {
  try {
    configured(variables);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return {};
}

test("everything is read", () => {
  const { tokens, access } = configured({
    OAUTH_ISSUERS: `${ISSUER},http://127.0.0.1:8080\n https://b.example/`,
    OAUTH_AUDIENCE: "api://sessions",
    OAUTH_SCOPES: "use=mcp",
    OAUTH_SCOPE_CLAIM: "roles",
    ...introspection,
    ACCESS_TEAM_DOMAIN: "https://team.cloudflareaccess.com",
    ACCESS_AUDIENCE: "tag",
    ACCESS_SCOPES: "mcp+health",
  });
  expect(tokens).toEqual({
    issuers: [ISSUER, "http://127.0.0.1:8080", "https://b.example/"],
    audience: "api://sessions",
    jwksUri: undefined,
    scopeMap: new Map([["use", ["mcp"]]]),
    scopeClaim: "roles",
    introspection: { url: "https://issuer.example/introspect", clientId: "worker", clientSecret: "secret" },
    authorizationServer: undefined,
  });
  expect(access).toEqual({
    teamDomain: "https://team.cloudflareaccess.com",
    audience: "tag",
    scopes: ["mcp", "health"],
  });
});

const notAddresses = [
  "http://issuer.example",
  "http://127.0.0.1.evil.example",
  "http://localhost@evil.example",
  "ftp://issuer.example",
  "ftp://localhost",
  "issuer.example",
  "https://user@issuer.example",
  "https://user:password@issuer.example",
  "https://issuer.example/#part",
  "https://issuer.example/é",
  "https://issuer.example/é/x",
];

test.each<[string, string[], object?]>([
  [
    "OAUTH_ISSUERS",
    [
      "",
      " , ",
      ...notAddresses,
      "https://issuer.example?x=1",
      `${ISSUER} ${ISSUER}`,
      `https://a.example/${"x".repeat(200)}`,
    ],
  ],
  ["OAUTH_AUDIENCE", ["", "  "]],
  ["OAUTH_JWKS_URI", ["", ...notAddresses]],
  ["OAUTH_SCOPES", ["", "mcp", "use=root"]],
  ["OAUTH_SCOPE_CLAIM", [""]],
  ["OAUTH_INTROSPECTION_URL", ["", ...notAddresses], introspection],
  ["OAUTH_INTROSPECTION_CLIENT_ID", [""], introspection],
  ["OAUTH_INTROSPECTION_CLIENT_SECRET", [""], introspection],
  [
    "ACCESS_TEAM_DOMAIN",
    ["", ...notAddresses, "https://team.cloudflareaccess.com/"],
    { ACCESS_AUDIENCE: "tag" },
  ],
  ["ACCESS_AUDIENCE", [""], { ACCESS_TEAM_DOMAIN: "https://team.cloudflareaccess.com" }],
  ["ACCESS_SCOPES", ["", "root", "mcp+", "health,metrics"]],
])("%s refuses any of %o, and never repeats it", (name, values, others = {}) => {
  for (const value of values) {
    const problems = problemsOf({ OAUTH_ISSUERS: ISSUER, ...others, [name]: value });
    expect(Object.keys(problems), `${name}=${value}`).toEqual([name]);
    expect(problems[name]?.includes(value) && value.trim().length > 4).toBe(false);
  }
});

test("a binding that cannot validate tokens is refused", () => {
  expect(Object.keys(problemsOf({ OAUTH_ISSUERS: ISSUER, AUTHORIZATION_SERVER: { fetch } }))).toEqual([
    "AUTHORIZATION_SERVER",
  ]);
});

describe("half a group is refused", () => {
  test.each<[object, string, string]>([
    [{ OAUTH_AUDIENCE: "x" }, "OAUTH_ISSUERS", "must be set"],
    [{ OAUTH_JWKS_URI: "https://a.example" }, "OAUTH_ISSUERS", "must be set"],
    [{ OAUTH_SCOPES: "a=mcp" }, "OAUTH_ISSUERS", "must be set"],
    [{ OAUTH_SCOPE_CLAIM: "roles" }, "OAUTH_ISSUERS", "must be set"],
    [introspection, "OAUTH_ISSUERS", "must be set"],
    [{ AUTHORIZATION_SERVER: server }, "OAUTH_ISSUERS", "must be set"],
    [
      { OAUTH_ISSUERS: `${ISSUER} https://b.example`, OAUTH_JWKS_URI: "https://a.example" },
      "OAUTH_JWKS_URI",
      "more than one issuer",
    ],
    [
      { OAUTH_ISSUERS: ISSUER, ...introspection, AUTHORIZATION_SERVER: server },
      "OAUTH_INTROSPECTION_URL",
      "AUTHORIZATION_SERVER",
    ],
    [{ ACCESS_TEAM_DOMAIN: "https://team.cloudflareaccess.com" }, "ACCESS_TEAM_DOMAIN", "ACCESS_AUDIENCE"],
    [{ ACCESS_AUDIENCE: "tag" }, "ACCESS_TEAM_DOMAIN", "ACCESS_AUDIENCE"],
    ...Object.keys(introspection).flatMap((name): [object, string, string][] => {
      const without = Object.fromEntries(Object.entries(introspection).filter(([other]) => other !== name));
      const alone = Object.fromEntries(Object.entries(introspection).filter(([other]) => other === name));
      return [
        [
          { OAUTH_ISSUERS: ISSUER, ...without },
          "OAUTH_INTROSPECTION_URL",
          "OAUTH_INTROSPECTION_CLIENT_SECRET",
        ],
        [{ OAUTH_ISSUERS: ISSUER, ...alone }, "OAUTH_INTROSPECTION_URL", "OAUTH_INTROSPECTION_CLIENT_ID"],
      ];
    }),
  ])("%o: %s says %s", (variables, name, words) => {
    const problems = problemsOf(variables);
    expect(Object.keys(problems)).toEqual([name]);
    expect(problems[name]).toContain(words);
  });
});

describe("in words", () => {
  const ADDRESS = "must be an https address (http on localhost only)";
  const ADDRESSES = "must be https addresses (http on localhost only) without a query, separated by commas";
  const LONG = "must be addresses of 200 characters at most";
  const EMPTY = "must not be empty";
  const ofLength = (length: number) => "https://a.example/".padEnd(length, "x");
  const oauth = { OAUTH_ISSUERS: ISSUER };
  const access = { ACCESS_TEAM_DOMAIN: "https://team.example", ACCESS_AUDIENCE: "tag" };

  test.each<[string, string, string, object?]>([
    ["OAUTH_ISSUERS", " ,\n", "must have an issuer"],
    ["OAUTH_ISSUERS", "http://a.example", ADDRESSES],
    ["OAUTH_ISSUERS", `${ISSUER} http://a.example`, ADDRESSES],
    ["OAUTH_ISSUERS", `http://a.example ${ISSUER}`, ADDRESSES],
    ["OAUTH_ISSUERS", `${ISSUER}?`, ADDRESSES],
    ["OAUTH_ISSUERS", ofLength(201), LONG],
    ["OAUTH_ISSUERS", `${ofLength(201)} ${ISSUER}`, LONG],
    ["OAUTH_ISSUERS", `${ISSUER},${ISSUER}`, "must name each issuer once"],
    ["OAUTH_AUDIENCE", " ", EMPTY],
    ["OAUTH_SCOPE_CLAIM", "", EMPTY],
    ["OAUTH_JWKS_URI", "http://a.example", ADDRESS],
    ["OAUTH_JWKS_URI", " https://a.example", ADDRESS],
    ["ACCESS_TEAM_DOMAIN", "https://team.example/", "must be an origin", access],
    ["ACCESS_TEAM_DOMAIN", "http://team.example", ADDRESS, access],
    ["ACCESS_SCOPES", "root", "must be of health, metrics, mcp, admin, joined with +"],
  ])("%s=%j %s", (name, value, problem, others = {}) => {
    expect(problemsOf({ ...oauth, ...others, [name]: value })).toEqual({ [name]: problem });
  });

  test("an issuer has 200 characters at most, and what stands around issuers is left out", () => {
    const longest = ofLength(200);
    const { tokens } = configured({ OAUTH_ISSUERS: ` ,${longest}, \n ${ISSUER},` });
    expect(tokens?.issuers).toEqual([longest, ISSUER]);
  });

  test("one issuer may have its keys elsewhere, and a group that is whole is taken", () => {
    expect(problemsOf({ ...oauth, OAUTH_JWKS_URI: "https://keys.example/" })).toEqual({});
    expect(problemsOf({ ...oauth, ...introspection, ...access })).toEqual({});
    expect(configured({ ...oauth, OAUTH_JWKS_URI: "https://keys.example/" }).tokens?.jwksUri).toBe(
      "https://keys.example/",
    );
  });

  test("without issuers and without Access nothing is on", () => {
    expect(configured({})).toMatchObject({ tokens: undefined, access: undefined });
    expect(configured(access).access).toEqual({
      teamDomain: "https://team.example",
      audience: "tag",
      scopes: ["health", "metrics", "admin"],
    });
  });
});
