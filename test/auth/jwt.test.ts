// What of a JWT decides, beside its signature and its claims: token-claims.test.ts and token-forgeries.test.ts have those.
import { beforeAll, describe, expect, test } from "vitest";
import { claimedIssuer, createVerifyAccess, MAX_TOKEN_CHARACTERS } from "../../src/auth/jwt.ts";
import { keepSecret } from "../support/captured-logs.ts";
import {
  base64url,
  claimsOf,
  newKey,
  NOW,
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

const verdictOf = async (changes: Record<string, unknown>, header: Record<string, string> = {}) => {
  const token = keepSecret(await sign(key, claimsOf(ISSUER, changes), header));
  return verifierOf({ OAUTH_ISSUERS: ISSUER }, serve({ [ISSUER]: [key] }))(token);
};

test("the issuer that a token claims is a text, or nothing", () => {
  const unsigned = (payload: unknown) => `${base64url({ alg: "none" })}.${base64url(payload)}.x`;
  expect(claimedIssuer(unsigned({ iss: ISSUER }))).toBe(ISSUER);
  expect(claimedIssuer(unsigned({ iss: "" }))).toBe("");
  for (const token of [unsigned({ iss: 5 }), unsigned({}), unsigned([]), "opaque", "", "a.b.c"])
    expect(claimedIssuer(token)).toBeUndefined();
});

test("a token has 8192 characters at most", async () => {
  expect(MAX_TOKEN_CHARACTERS).toBe(8192);
  const verify = verifierOf({ OAUTH_ISSUERS: ISSUER }, serve({ [ISSUER]: [key] }));
  expect(wordOf(await verify("x".repeat(8192)))).toBe("malformed");
  expect(wordOf(await verify("x".repeat(8193)))).toBe("too_large");
});

test("that it does not expire is said before anything else of its claims", async () => {
  for (const changes of [{ sub: undefined }, { token_use: "id" }, {}])
    expect(wordOf(await verdictOf({ ...changes, exp: undefined }))).toBe("no_expiry");
});

test.each([
  ["id", "not_an_access_token"],
  ["ID", "not_an_access_token"],
  ["Refresh", "not_an_access_token"],
  ["offline", "not_an_access_token"],
  ["access", "accepted"],
  ["Bearer", "accepted"],
  ["paid", "accepted"],
  ["idle", "accepted"],
  [5, "accepted"],
])("a token that says its use is %j is %s", async (use, word) => {
  for (const claim of ["token_use", "typ"]) expect(wordOf(await verdictOf({ [claim]: use }))).toBe(word);
});

test.each([
  ["JWT", "accepted"],
  ["at+jwt", "accepted"],
  ["application/at+jwt", "accepted"],
  ["APPLICATION/JWT", "accepted"],
  ["at+application/jwt", "not_an_access_token"],
  ["logout+jwt", "not_an_access_token"],
  ["jwtx", "not_an_access_token"],
])("a token of the type %s is %s", async (typ, word) => {
  expect(wordOf(await verdictOf({}, { typ }))).toBe(word);
});

test.each([
  [{ client_id: "one", azp: undefined }, "one"],
  [{ client_id: undefined, azp: "two" }, "two"],
  [{ client_id: "one", azp: "two" }, "one"],
  [{ client_id: undefined, azp: undefined }, undefined],
])("the client of %o is %s", async (changes, clientId) => {
  expect(await verdictOf(changes)).toMatchObject({ kind: "accepted", principal: { token: { clientId } } });
});

describe("an assertion of Access", () => {
  const TEAM = "https://team.cloudflareaccess.com";
  const verify = createVerifyAccessOf(() => key);

  function createVerifyAccessOf(keyOf: () => SigningKey) {
    return (token: string) =>
      createVerifyAccess(
        { teamDomain: TEAM, audience: "tag", scopes: ["health"] },
        {
          fetch: async (url) =>
            url === `${TEAM}/cdn-cgi/access/certs`
              ? Response.json({ keys: [keyOf().jwk] })
              : new Response(null, { status: 404 }),
          now: () => NOW,
        },
      )(token, "not asked for");
  }
  const assertionOf = async (changes: Record<string, unknown>) =>
    verify(keepSecret(await sign(key, claimsOf(TEAM, { aud: "tag", ...changes }))));

  test.each([
    [{ sub: "zoe" }, "zoe"],
    [{ sub: "zoe", common_name: "a service" }, "zoe"],
    [{ sub: "", common_name: "a service" }, "service:a service"],
  ])("with %o is of %s, who has the scopes of the variable", async (changes, subject) => {
    expect(await assertionOf(changes)).toMatchObject({
      kind: "accepted",
      principal: {
        scopes: ["health"],
        token: { issuer: TEAM, subject, clientId: undefined, scopes: ["health"] },
      },
    });
  });

  test.each([
    [{ sub: "" }, "no_subject"],
    [{ sub: "", common_name: "" }, "no_subject"],
    [{ sub: "", common_name: 5 }, "no_subject"],
    [{ sub: undefined, common_name: "a service" }, "no_subject"],
    [{ aud: "another" }, "wrong_audience"],
    [{ iss: "https://other.cloudflareaccess.com" }, "wrong_issuer"],
  ])("with %o is refused: %s", async (changes, reason) => {
    expect(await assertionOf(changes)).toEqual({ kind: "refused", reason });
  });

  test("has 8192 characters at most", async () => {
    expect(wordOf(await verify("x".repeat(8192)))).toBe("malformed");
    expect(wordOf(await verify("x".repeat(8193)))).toBe("too_large");
  });
});
