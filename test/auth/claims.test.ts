// What a verified token says, read as the specifications have it.
import { describe, expect, test } from "vitest";
import { audienceForms, bearerOf, hasExpired, scopesOf, wordsOf } from "../../src/auth/claims.ts";

const now = new Date("2026-01-01T00:00:00Z");
const seconds = now.getTime() / 1000;

test.each<[expiresAt: unknown, expired: boolean]>([
  [seconds - 31, true],
  [seconds - 30, true],
  [seconds - 29, false],
  [seconds + 29, false],
  [String(seconds - 3600), false],
  [undefined, false],
])("thirty seconds lie between two clocks: %s", (expiresAt, expired) => {
  expect(hasExpired(expiresAt, now)).toBe(expired);
});

test.each<[claim: unknown, words: string[]]>([
  ["mcp admin", ["mcp", "admin"]],
  [" mcp  admin ", ["mcp", "admin"]],
  ["", []],
  [
    ["mcp", 1, null, "admin"],
    ["mcp", "admin"],
  ],
  [{ 0: "mcp" }, []],
  [undefined, []],
])("the words of the claim %j", (claim, words) => {
  expect(wordsOf(claim)).toEqual(words);
});

test("scopes are those of the claim that is named, else of scope, else of scp", () => {
  const claims = { scope: "a", scp: ["b"], roles: ["c"] };
  expect(scopesOf(claims, undefined)).toEqual(["a"]);
  expect(scopesOf({ scp: ["b"], roles: ["c"] }, undefined)).toEqual(["b"]);
  expect(scopesOf(claims, "roles")).toEqual(["c"]);
  expect(scopesOf(claims, "groups")).toEqual([]);
});

test.each(["https://a.example/mcp", "https://a.example/mcp/"])("%s with a slash and without", (audience) => {
  expect(audienceForms(audience)).toEqual(["https://a.example/mcp", "https://a.example/mcp/"]);
});

describe("the bearer", () => {
  const verified = {
    issuer: "https://issuer.example",
    subject: "zoe" as unknown,
    clientId: "client" as unknown,
    scopes: ["mcp"],
    expiresAt: seconds as unknown,
    claims: { sub: "zoe" },
  };
  const reasonFor = async (change: Partial<typeof verified>) => {
    const verdict = await bearerOf({ ...verified, ...change }, ["mcp"]);
    return verdict.kind === "accepted" ? "accepted" : verdict;
  };

  test("has the name of its issuer and its subject, and what the token says", async () => {
    expect(await bearerOf(verified, ["health"])).toEqual({
      kind: "accepted",
      principal: {
        name: '["https://issuer.example","zoe"]',
        scopes: ["health"],
        label: expect.stringMatching(/^person:[0-9a-f]{8}$/),
        token: { ...verified, expiresAt: now },
      },
    });
    const nameless = await bearerOf({ ...verified, clientId: 7 }, []);
    expect(nameless).toMatchObject({ principal: { token: { clientId: undefined } } });
  });

  test.each<[string, Partial<typeof verified>]>([
    ["one character", { subject: "z" }],
    ["255 characters", { subject: "z".repeat(255) }],
    // `["`, `","zoe` and `"]` are the other ten.
    ["a name of 512 characters", { issuer: "i".repeat(502) }],
  ])("is taken with %s", async (_, change) => {
    expect(await reasonFor(change)).toBe("accepted");
  });

  test.each<[string, string, Partial<typeof verified>]>([
    ["no subject", "no_subject", { subject: undefined }],
    ["a number for one", "no_subject", { subject: 7 }],
    ["an empty one", "no_subject", { subject: "" }],
    ["256 characters", "no_subject", { subject: "z".repeat(256) }],
    ["half a character", "no_subject", { subject: "\ud800" }],
    ["a control character", "no_subject", { subject: "zoe\u0085" }],
    ["a name of 513 characters", "no_subject", { issuer: "i".repeat(503) }],
    ["no expiry", "no_expiry", { expiresAt: undefined }],
    ["an endless one", "no_expiry", { expiresAt: Number.POSITIVE_INFINITY }],
  ])("is refused with %s", async (_, reason, change) => {
    expect(await reasonFor(change)).toMatchObject({ kind: "refused", reason });
  });
});
