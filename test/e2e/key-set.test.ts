// The keys of an issuer over real HTTP: when they are fetched, and what happens when that fails.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { claimsOf, newKey, sign, type SigningKey, verifierOf, wordOf } from "../support/tokens.ts";
import { type IssuerServer, json, KEYS, keySet, METADATA, startIssuer } from "./issuer-server.ts";

let issuer: IssuerServer;
let key: SigningKey;
beforeEach(async () => {
  // jose asks the clock itself.
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-11-26T12:00:00Z") });
  issuer = await startIssuer();
  key = await newKey("one");
  issuer.answers[METADATA] = json({ issuer: issuer.url, jwks_uri: `${issuer.url}${KEYS}` });
  issuer.answers[KEYS] = keySet(key);
});
afterEach(async () => {
  vi.useRealTimers();
  await issuer.close();
});

const pass = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);

function verifier(variables: object = {}) {
  const verify = verifierOf(
    { OAUTH_ISSUERS: issuer.url, ...variables },
    { fetch: (url, init) => fetch(url, init), now: () => new Date() },
  );
  return async (by = key, { iss = issuer.url, exp = Date.now() / 1000 + 3600 } = {}) =>
    wordOf(await verify(await sign(by, claimsOf(iss, { exp }))));
}

describe("fetched", () => {
  test("once for 1,000 tokens", async () => {
    const verify = verifier();
    for (let i = 0; i < 1000; i++) expect(await verify()).toBe("accepted");
    expect(issuer.asked).toEqual({ [METADATA]: 1, [KEYS]: 1 });
  });

  test("again after ten minutes, and the metadata is not", async () => {
    const verify = verifier();
    await verify();
    pass(599);
    await verify();
    expect(issuer.asked[KEYS]).toBe(1);
    pass(2);
    await verify();
    expect(issuer.asked).toEqual({ [METADATA]: 1, [KEYS]: 2 });
  });

  test("at once for a new key, and the old one is refused from then on", async () => {
    const verify = verifier();
    expect(await verify()).toBe("accepted");
    const next = await newKey("two");
    issuer.answers[KEYS] = keySet(next);
    pass(31);
    expect(await verify(next)).toBe("accepted");
    expect(issuer.asked[KEYS]).toBe(2);
    pass(31);
    expect(await verify()).toBe("unknown_key");
  });

  test("every 30 seconds at most for tokens with made-up keys, of which nothing is known meanwhile", async () => {
    const verify = verifier();
    const made = await newKey("made-up");
    expect(await verify(made)).toBe("unknown_key");
    const next = await newKey("two");
    issuer.answers[KEYS] = keySet(key, next);
    for (let second = 1; second < 30; second++) {
      pass(1);
      // A new key of the issuer must not sign people out because of somebody else's token.
      expect([await verify(made), await verify(next), await verify()]).toEqual([
        "unavailable",
        "unavailable",
        "accepted",
      ]);
    }
    expect(issuer.asked[KEYS]).toBe(1);
    pass(2);
    expect([await verify(next), await verify()]).toEqual(["accepted", "accepted"]);
    expect(issuer.asked[KEYS]).toBe(2);
  });

  test("from OAUTH_JWKS_URI without asking for metadata", async () => {
    issuer.answers["/elsewhere"] = keySet(key);
    const verify = verifier({ OAUTH_JWKS_URI: `${issuer.url}/elsewhere` });
    expect(await verify()).toBe("accepted");
    expect(issuer.asked).toEqual({ "/elsewhere": 1 });
  });
});

describe("metadata", () => {
  test.each([
    ["/tenant", "/.well-known/oauth-authorization-server/tenant"],
    ["/tenant", "/tenant/.well-known/openid-configuration"],
    ["/tenant/", "/.well-known/oauth-authorization-server/tenant"],
    ["/tenant/", "/tenant/.well-known/openid-configuration"],
    ["/", METADATA],
    ["", "/.well-known/openid-configuration"],
  ])("of the issuer %s is found at %s", async (path, address) => {
    delete issuer.answers[METADATA];
    const iss = `${issuer.url}${path}`;
    issuer.answers[address] = json({ issuer: iss, jwks_uri: `${issuer.url}${KEYS}` });
    expect(await verifier({ OAUTH_ISSUERS: iss })(key, { iss })).toBe("accepted");
  });

  test("that is of another issuer is not used, and the next is", async () => {
    const evil = await startIssuer();
    try {
      evil.answers[KEYS] = keySet(key);
      issuer.answers[METADATA] = json({ issuer: `${issuer.url}/`, jwks_uri: `${evil.url}${KEYS}` });
      const verify = verifier();
      expect(await verify()).toBe("unavailable");
      expect(evil.asked).toEqual({});
      issuer.answers["/.well-known/openid-configuration"] = json({
        issuer: issuer.url,
        jwks_uri: `${issuer.url}${KEYS}`,
      });
      pass(6);
      expect(await verify()).toBe("accepted");
    } finally {
      await evil.close();
    }
  });

  test.each(["http://keys.example/keys", "ftp://keys.example/keys", "data:application/json,{}", "/keys", ""])(
    "that says that the keys are at %o is not used",
    async (jwksUri) => {
      issuer.answers[METADATA] = json({ issuer: issuer.url, jwks_uri: jwksUri });
      const asked: string[] = [];
      const verify = verifierOf(
        { OAUTH_ISSUERS: issuer.url },
        {
          fetch: (url, init) => {
            asked.push(url);
            return fetch(url, init);
          },
          now: () => new Date(),
        },
      );
      expect(await verify(await sign(key, claimsOf(issuer.url)))).toEqual({
        kind: "unavailable",
        source: "metadata",
      });
      expect(asked.every((url) => url.startsWith(issuer.url))).toBe(true);
    },
  );
});
