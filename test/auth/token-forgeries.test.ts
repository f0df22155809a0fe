// Tokens that are not what they say they are. No one of them gets in, and none is taken for an outage of the issuer.
import { exportSPKI, SignJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { keepSecret } from "../support/captured-logs.ts";
import {
  base64url,
  claimsOf,
  newKey,
  serve,
  sign,
  type SigningKey,
  verifierOf,
  wordOf,
} from "../support/tokens.ts";

const ISSUER = "https://issuer.example";
const OTHER = "https://other.example/realm";

const keys: Record<"es" | "rs" | "stranger" | "other" | "other_rs", SigningKey> = {} as never;
beforeAll(async () => {
  keys.es = await newKey("one");
  keys.rs = await newKey("two", "RS256");
  keys.stranger = await newKey("one");
  keys.other = await newKey("one");
  keys.other_rs = await newKey("three", "RS256");
});

const verify = (token: string) =>
  verifierOf(
    { OAUTH_ISSUERS: `${ISSUER} ${OTHER}` },
    serve({ [ISSUER]: [keys.es, keys.rs], [OTHER]: [keys.other, keys.other_rs] }),
  )(token.length > 40 ? keepSecret(token) : token);

const good = claimsOf(ISSUER);
const parts = (...values: unknown[]) => values.map(base64url).join(".");
/** A token with another header or payload, and the signature of a good one. */
async function altered(change: (parts: [string, string, string]) => string[]): Promise<string> {
  const [header = "", payload = "", signature = ""] = (await sign(keys.es, good)).split(".");
  return change([header, payload, signature]).join(".");
}
async function hmacWith(text: string, alg = "HS256") {
  const secret = new TextEncoder().encode(text);
  return new SignJWT(good).setProtectedHeader({ alg, kid: "two" }).sign(secret);
}

test.each([
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
])("%s is taken", async (alg) => {
  const key = await newKey("k", alg);
  const verifyIt = verifierOf({ OAUTH_ISSUERS: ISSUER }, serve({ [ISSUER]: [key] }));
  expect(wordOf(await verifyIt(await sign(key, good)))).toBe("accepted");
});

test.each<[string, string, () => string | Promise<string>]>([
  ["alg none, unsigned", "bad_algorithm", () => `${parts({ alg: "none" }, good)}.`],
  ["alg None", "bad_algorithm", () => `${parts({ alg: "None", kid: "one" }, good)}.`],
  ["alg NONE with a signature", "bad_algorithm", () => parts({ alg: "NONE" }, good, "signature")],
  [
    "alg none in front of a good signature",
    "bad_algorithm",
    () => altered(([, p, s]) => [base64url({ alg: "none" }), p, s]),
  ],
  ["HS256 with the public key as its secret", "bad_algorithm", async () => hmacWith(await spki(keys.rs))],
  ["HS256 with the JWK as its secret", "bad_algorithm", () => hmacWith(JSON.stringify(keys.rs.jwk))],
  ["HS512 with the modulus as its secret", "bad_algorithm", () => hmacWith(String(keys.rs.jwk.n), "HS512")],
  ["an algorithm that nobody knows", "bad_algorithm", () => parts({ alg: "XS256" }, good, "signature")],
  [
    "an algorithm for encryption",
    "bad_algorithm",
    () => parts({ alg: "RSA-OAEP", enc: "A128GCM" }, good, "x"),
  ],
  ["no algorithm", "malformed", () => parts({ kid: "one" }, good, "signature")],

  ["the key of a stranger, under a known name", "bad_signature", () => sign(keys.stranger, good)],
  ["the key of another issuer that has the same name", "bad_signature", () => sign(keys.other, good)],
  ["the key of another issuer, by its own name", "unknown_key", () => sign(keys.other_rs, good)],
  ["a key that is not there", "unknown_key", () => sign(keys.es, good, { kid: "made-up" })],
  ["the name of a key of another kind", "unknown_key", () => sign(keys.es, good, { kid: "two" })],
  [
    "a key of its own in its header",
    "bad_signature",
    () => sign(keys.stranger, good, { jwk: keys.stranger.jwk }),
  ],
  [
    "an address of keys in its header",
    "bad_signature",
    () => sign(keys.stranger, good, { jku: "https://evil.example" }),
  ],
  [
    "another payload under a good signature",
    "bad_signature",
    () => altered(([h, , s]) => [h, base64url({ ...good, sub: "bob" }), s]),
  ],
  ["a signature without its end", "bad_signature", () => altered(([h, p, s]) => [h, p, s.slice(0, -2)])],
  ["no signature", "bad_signature", () => altered(([h, p]) => [h, p, ""])],

  ["typ logout+jwt", "not_an_access_token", () => sign(keys.es, good, { typ: "logout+jwt" })],
  ["typ dpop+jwt", "not_an_access_token", () => sign(keys.es, good, { typ: "dpop+jwt" })],
  ["typ secevent+jwt", "not_an_access_token", () => sign(keys.es, good, { typ: "application/secevent+jwt" })],
  [
    "an extension that must be understood",
    "malformed",
    () => altered(([, p, s]) => [base64url({ alg: "ES256", kid: "one", crit: ["x"], x: 1 }), p, s]),
  ],

  ["an empty token", "malformed", () => ""],
  ["two dots", "malformed", () => ".."],
  ["two parts", "malformed", () => parts({ alg: "ES256" }, good)],
  ["four parts", "malformed", () => altered((all) => [...all, "x"])],
  [
    "five parts, as an encrypted one",
    "malformed",
    () => parts({ alg: "dir", enc: "A128GCM" }, "", "x", "y", "z"),
  ],
  ["a header that is no JSON", "malformed", () => altered(([, p, s]) => [base64url("{alg"), p, s])],
  ["a header that is a list", "malformed", () => altered(([, p, s]) => [base64url([]), p, s])],
  ["a header that is null", "malformed", () => altered(([, p, s]) => [base64url(null), p, s])],
  ["a payload that is no JSON", "malformed", () => altered(([h, , s]) => [h, base64url("alice"), s])],
  ["a payload that is a text", "malformed", () => altered(([h, , s]) => [h, base64url('"alice"'), s])],
  ["a payload that is no base64url", "malformed", () => altered(([h, , s]) => [h, "*", s])],
  ["bytes that are no UTF-8 in its payload", "malformed", () => altered(([h, , s]) => [h, "gICA", s])],
  ["a typ that is a number", "malformed", () => sign(keys.es, good, { typ: 7 as never })],
  ["a signature that is no base64url", "malformed", () => altered(([h, p]) => [h, p, "*"])],
  ["no issuer", "malformed", () => sign(keys.es, claimsOf(ISSUER, { iss: undefined }))],
  ["an unknown issuer", "wrong_issuer", () => sign(keys.es, claimsOf("https://evil.example"))],
  ["more than 8 KiB", "too_large", () => sign(keys.es, claimsOf(ISSUER, { groups: "g".repeat(8192) }))],
])("%s is refused: %s", async (_, reason, make) => {
  expect(wordOf(await verify(await make()))).toBe(reason);
});

async function spki({ jwk }: SigningKey): Promise<string> {
  const key = await crypto.subtle.importKey(
    "jwk",
    jwk as JsonWebKey,
    { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
    true,
    ["verify"],
  );
  return exportSPKI(key);
}

test.each([undefined, "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"])(
  "typ %s is taken",
  async (typ) => {
    const header = typ === undefined ? {} : { typ };
    expect(wordOf(await verify(await sign(keys.es, good, header)))).toBe("accepted");
  },
);

test("a token of 8 KiB is taken", async () => {
  const empty = await sign(keys.es, claimsOf(ISSUER, { groups: "" }));
  // Four characters of base64url are three bytes.
  const groups = "g".repeat(Math.floor(((8192 - empty.length) * 3) / 4));
  const token = await sign(keys.es, claimsOf(ISSUER, { groups }));
  expect(token.length).toBeGreaterThan(8180);
  expect(wordOf(await verify(token))).toBe("accepted");
});

describe("two issuers with a key of the same name", () => {
  test("each one's tokens are verified by its own key", async () => {
    const theirs = claimsOf(OTHER);
    expect(wordOf(await verify(await sign(keys.other, theirs)))).toBe("accepted");
    expect(wordOf(await verify(await sign(keys.es, theirs)))).toBe("bad_signature");
  });

  test("the same subject is two principals", async () => {
    const verdicts = [
      await verify(await sign(keys.es, good)),
      await verify(await sign(keys.other, claimsOf(OTHER))),
    ];
    const principals = verdicts.map((verdict) =>
      verdict.kind === "accepted" ? verdict.principal : undefined,
    );
    expect(principals.map((principal) => principal?.name)).toEqual([
      `["${ISSUER}","alice"]`,
      `["${OTHER}","alice"]`,
    ]);
    expect(principals[0]?.label).not.toBe(principals[1]?.label);
  });
});

describe("a key set with several keys that fit", () => {
  const sets: [string, () => Promise<SigningKey[]>][] = [
    ["the same name", () => Promise.all([newKey("same"), newKey("same"), newKey("same")])],
    ["no name", () => Promise.all([newKey(undefined), newKey(undefined), newKey(undefined)])],
  ];
  test.each(sets)("%s: a token of any of them is taken, and no other", async (_, make) => {
    const set = await make();
    const verifyIt = verifierOf({ OAUTH_ISSUERS: ISSUER }, serve({ [ISSUER]: set }));
    for (const key of set) expect(wordOf(await verifyIt(await sign(key, good)))).toBe("accepted");
    const stranger = await newKey(set[0]?.kid);
    expect(wordOf(await verifyIt(await sign(stranger, good)))).toBe("bad_signature");
    // What a good key has signed must still say what it must.
    const last = set.at(-1) ?? stranger;
    expect(wordOf(await verifyIt(await sign(last, claimsOf(ISSUER, { aud: "x" }))))).toBe("wrong_audience");
  });
});

// A promise that a cancelled request leaves behind is never settled. jose keeps that of an import with the key, until it is
// settled. This is harmless as long as an import needs no more than microtasks, which nothing can cancel.
test.each(["ES256", "RS256", "EdDSA"])(
  "a key of %s is imported before anything else happens",
  async (alg) => {
    const { jwk } = await newKey("k", alg);
    const algorithm = {
      ES256: { name: "ECDSA", namedCurve: "P-256" },
      RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
      EdDSA: { name: "Ed25519" },
    }[alg];
    let isDone = false;
    const imported = crypto.subtle
      .importKey("jwk", jwk as JsonWebKey, algorithm as SubtleCryptoImportKeyAlgorithm, false, ["verify"])
      .then(() => (isDone = true));
    for (let i = 0; i < 10; i++) await Promise.resolve();
    expect(isDone).toBe(true);
    await imported;
  },
);
