// The keys of an issuer that is down, slow, or answers nonsense: nothing is known of its tokens, and it is left alone.
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { claimsOf, newKey, sign, type SigningKey, verifierOf } from "../support/tokens.ts";
import {
  type Answer,
  cutOff,
  type IssuerServer,
  json,
  KEYS,
  keySet,
  METADATA,
  redirectTo,
  startIssuer,
  text,
} from "./issuer-server.ts";

let issuer: IssuerServer;
let key: SigningKey;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-11-26T12:00:00Z") });
  issuer = await startIssuer();
  key = await newKey("one");
  recover();
});
afterEach(async () => {
  vi.useRealTimers();
  await issuer.close();
});

const pass = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);

function recover() {
  issuer.answers[METADATA] = json({ issuer: issuer.url, jwks_uri: `${issuer.url}${KEYS}` });
  issuer.answers[KEYS] = keySet(key);
}

function verifier() {
  const verify = verifierOf(
    { OAUTH_ISSUERS: issuer.url },
    { fetch: (url, init) => fetch(url, init), now: () => new Date() },
  );
  return async (by = key) => verify(await sign(by, claimsOf(issuer.url, { exp: Date.now() / 1000 + 3600 })));
}

const accepted = expect.objectContaining({ kind: "accepted" });
const unavailable = (source: string) => ({ kind: "unavailable", source });

const addresses = [
  [METADATA, "metadata"],
  [KEYS, "keys"],
] as const;

describe.each(addresses)("%s", (path, source) => {
  test("down for a minute: it is asked every five seconds at most, and well again without a restart", async () => {
    issuer.answers[path] = cutOff;
    const verify = verifier();
    for (let second = 0; second < 60; second++) {
      // Ten tokens a second.
      for (let i = 0; i < 10; i++) expect(await verify()).toEqual(unavailable(source));
      pass(1);
    }
    expect(issuer.asked[path]).toBe(12);
    recover();
    pass(5);
    expect(await verify()).toEqual(accepted);
  });

  test("a redirect is not followed", async () => {
    const other = await startIssuer();
    try {
      other.answers[path] = issuer.answers[path] ?? cutOff;
      for (const status of [301, 302, 307, 308]) {
        issuer.answers[path] = redirectTo(`${other.url}${path}`, status);
        expect(await verifier()()).toEqual(unavailable(source));
      }
      expect(other.asked).toEqual({});
    } finally {
      await other.close();
    }
  });

  test("an answer without an end is not read to its end", async () => {
    let sent = 0;
    const endless = function* () {
      const part = Buffer.alloc(65_536, "x");
      for (;;) {
        sent += part.length;
        yield part;
      }
    };
    const closed = Promise.withResolvers<void>();
    issuer.answers[path] = (_, response) => {
      response.on("close", closed.resolve);
      response.writeHead(200, { "Content-Type": "application/json" });
      Readable.from(endless()).pipe(response);
    };
    expect(await verifier()()).toEqual(unavailable(source));
    await closed.promise;
    // What the two sockets hold is sent, too, though nobody reads it.
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  const silent: Answer = () => {};
  const dripping: Answer = (_, response) => {
    response.writeHead(200, { "Content-Type": "application/json" });
    const drops = setInterval(() => response.write(" "), 100);
    response.on("close", () => clearInterval(drops));
  };
  test.each([
    ["that never comes", silent],
    ["that comes a byte at a time", dripping],
  ])("an answer %s is given up", async (_, answer) => {
    issuer.answers[path] = answer;
    expect(await verifier()()).toEqual(unavailable(source));
  });

  test.each<[string, Answer]>([
    ["a page", text("<html>Sign in</html>")],
    ["an empty answer", text("")],
    ["half of an answer", text('{"keys":[{"kty":"EC"')],
    ["null", json(null)],
    ["a text", json("keys")],
    ["a list", json([])],
    ["an object without what is needed", json({})],
    ["what is needed, of another kind", json({ keys: "none", issuer: 1, jwks_uri: 1 })],
    ["a list with what is no key", json({ keys: ["key", null], issuer: null })],
    ["404", text("Not found", 404)],
    ["204", text("", 204)],
    ["500", text("Down", 500)],
    [
      "503 with a good answer",
      (_, response) =>
        json({ keys: [key.jwk], issuer: issuer.url, jwks_uri: `${issuer.url}${KEYS}` }, 503)(_, response),
    ],
  ])("%s says nothing of a token", async (_, answer) => {
    issuer.answers[path] = answer;
    const verify = verifier();
    expect(await verify()).toEqual(unavailable(source));
    recover();
    pass(5);
    expect(await verify()).toEqual(accepted);
  });
});

describe("with keys that were fetched before", () => {
  test("tokens of these are taken while the issuer is down, and of others nothing is known", async () => {
    const verify = verifier();
    await verify();
    issuer.answers[KEYS] = cutOff;
    issuer.answers[METADATA] = cutOff;
    pass(60);
    const other = await newKey("two");
    expect(await verify(other)).toEqual(unavailable("keys"));
    expect(await verify()).toEqual(accepted);
    pass(530);
    expect(await verify()).toEqual(accepted);
  });

  test("which are too old, nothing is known, until the issuer is well again", async () => {
    const verify = verifier();
    await verify();
    issuer.answers[KEYS] = cutOff;
    pass(601);
    expect(await verify()).toEqual(unavailable("keys"));
    recover();
    pass(5);
    expect(await verify()).toEqual(accepted);
  });

  test("keys that have moved are found again", async () => {
    const verify = verifier();
    await verify();
    issuer.answers[KEYS] = text("Gone", 410);
    issuer.answers[METADATA] = json({ issuer: issuer.url, jwks_uri: `${issuer.url}/moved` });
    issuer.answers["/moved"] = keySet(key);
    pass(601);
    expect(await verify()).toEqual(unavailable("keys"));
    pass(5);
    expect(await verify()).toEqual(accepted);
  });
});

describe("a key set with keys that cannot be used", () => {
  test.each<[string, object]>([
    ["of an unknown kind", { kty: "XYZ", kid: "x" }],
    ["for encryption", { kty: "RSA", kid: "one", use: "enc", n: "AQAB", e: "AQAB" }],
    ["shared", { kty: "oct", kid: "one", k: "c2VjcmV0" }],
  ])("beside a good one, %s: the good one is used", async (_, odd) => {
    issuer.answers[KEYS] = json({ keys: [odd, key.jwk] });
    expect(await verifier()()).toEqual(accepted);
  });

  test.each<[string, () => object]>([
    ["a point that is not on the curve", () => ({ ...key.jwk, y: key.jwk.x })],
    ["no point", () => ({ ...key.jwk, x: undefined, y: undefined })],
    ["a private half", () => ({ ...key.jwk, d: key.jwk.x })],
  ])("%s: nothing is known of its tokens", async (_, broken) => {
    issuer.answers[KEYS] = json({ keys: [broken()] });
    expect(await verifier()()).toEqual(unavailable("keys"));
  });
});
