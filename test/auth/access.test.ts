// Cloudflare Access in front of the Worker: its assertion says who has been let in.
import { beforeAll, describe, expect, test } from "vitest";
import { createVerifyAccess } from "../../src/auth/jwt.ts";
import { keepSecret } from "../support/captured-logs.ts";
import { configured, newKey, NOW, NOW_SECONDS, sign, type SigningKey, wordOf } from "../support/tokens.ts";

const TEAM = "https://team.cloudflareaccess.com";
const AUD = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";

let key: SigningKey;
let stranger: SigningKey;
beforeAll(async () => {
  key = await newKey("one", "RS256");
  stranger = await newKey("one", "RS256");
});

const certs = { isUp: true, asked: [] as string[] };
/** With a key set of its own: verifiers keep theirs. */
function verify(assertion: string, variables: object = {}) {
  const { access } = configured({ ACCESS_TEAM_DOMAIN: TEAM, ACCESS_AUDIENCE: AUD, ...variables });
  if (access === undefined) throw new Error("These variables do not switch Access on");
  const fetch = async (url: string) => {
    certs.asked.push(url);
    // Access adds its certificates in another form, which is not for us.
    return certs.isUp
      ? Response.json({ keys: [key.jwk], public_certs: [] })
      : new Response(null, { status: 502 });
  };
  return createVerifyAccess(access, { fetch, now: () => NOW })(
    keepSecret(assertion),
    "https://worker.test/mcp",
  );
}

const person = {
  iss: TEAM,
  aud: [AUD],
  sub: "7335d417-61da-459d-899c-0a01c76a2f94",
  email: keepSecret("zoe@example.com"),
  exp: NOW_SECONDS + 60,
  iat: NOW_SECONDS - 60,
  type: "app",
};
const service = {
  ...person,
  sub: "",
  email: undefined,
  common_name: "e367826f93b8d71185e03fe518aff3b4.access",
};

test("a person has the operator's scopes, and is named by subject, not by e-mail address", async () => {
  const verdict = await verify(await sign(key, person));
  expect(verdict).toMatchObject({
    kind: "accepted",
    principal: {
      name: JSON.stringify([TEAM, person.sub]),
      scopes: ["health", "metrics", "admin"],
      label: expect.stringMatching(/^person:[0-9a-f]{8}$/),
      token: { issuer: TEAM, subject: person.sub, claims: { email: person.email } },
    },
  });
  expect(certs.asked.at(-1)).toBe(`${TEAM}/cdn-cgi/access/certs`);
});

test("a service token is named by what its operator calls it", async () => {
  expect(await verify(await sign(key, service))).toMatchObject({
    kind: "accepted",
    principal: { name: JSON.stringify([TEAM, `service:${service.common_name}`]) },
  });
});

test("ACCESS_SCOPES says what those may do who are let in", async () => {
  const verdict = await verify(await sign(key, person), { ACCESS_SCOPES: "mcp+health" });
  expect(verdict).toMatchObject({ principal: { scopes: ["mcp", "health"] } });
});

test.each<[string, object, string]>([
  ["another application", { aud: ["f".repeat(64)] }, "wrong_audience"],
  ["no application", { aud: undefined }, "wrong_audience"],
  ["another team", { iss: "https://other.cloudflareaccess.com" }, "wrong_issuer"],
  ["no team", { iss: undefined }, "wrong_issuer"],
  ["that it expired 30 seconds ago", { exp: NOW_SECONDS - 30 }, "expired"],
  ["that it expired 29 seconds ago", { exp: NOW_SECONDS - 29 }, "accepted"],
  ["no expiry", { exp: undefined }, "no_expiry"],
  ["that it is valid in 31 seconds", { nbf: NOW_SECONDS + 31 }, "not_yet_valid"],
  ["no subject", { sub: undefined }, "no_subject"],
  ["an empty subject, and no name", { sub: "" }, "no_subject"],
  ["an empty subject, and an empty name", { sub: "", common_name: "" }, "no_subject"],
  ["a very long name", { groups: "g".repeat(8192) }, "too_large"],
])("an assertion says %s", async (_, changes, verdict) => {
  expect(wordOf(await verify(await sign(key, { ...person, ...changes })))).toBe(verdict);
});

describe("an assertion that Access has not made", () => {
  test.each<[string, string, () => string | Promise<string>]>([
    ["by the key of a stranger", "bad_signature", () => sign(stranger, person)],
    ["by a key that is not there", "unknown_key", () => sign(key, person, { kid: "two" })],
    ["that is no JWT", "malformed", () => "an-assertion-that-anyone-could-have-typed"],
  ])("%s", async (_, reason, make) => {
    expect(wordOf(await verify(await make()))).toBe(reason);
  });
});

test("while its certificates cannot be fetched, nobody is refused", async () => {
  certs.isUp = false;
  try {
    expect(await verify(await sign(key, person))).toEqual({ kind: "unavailable", source: "keys" });
  } finally {
    certs.isUp = true;
  }
});
