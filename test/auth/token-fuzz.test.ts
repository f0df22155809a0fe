// Whatever is presented as a token, nobody gets in by it, the Worker does not fail, and nothing of it comes out again.
import * as fc from "fast-check";
import { expect, inject, test } from "vitest";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { clearWeb, putPages } from "../support/issuer.ts";
import { base64url, claimsOf, newKey, sign } from "../support/tokens.ts";
import { bearer, createDatabase, databaseRequests, send } from "../support/worker.ts";

const REQUESTS = 2000;

const SUBJECT = keepSecret("subject-whom-nobody-may-read");
const EMAIL = keepSecret("somebody@example.com");

// What a header may have.
const headerText = fc
  .string({ unit: "binary-ascii", maxLength: 200 })
  .map((value) => value.replaceAll(/\p{Cc}/gu, "").trim());
const json = fc.jsonValue({ maxDepth: 2 });

test("2,000 random tokens and headers", async () => {
  const keys = [await newKey("one"), await newKey("two", "RS256")];
  const [key = await newKey("one")] = keys;
  const stranger = await newKey("one");
  const keySet = { body: { keys: keys.map(({ jwk }) => jwk) } };
  const issuer = inject("webServer");
  await clearWeb();
  await putPages({ "/keys": keySet, "/cdn-cgi/access/certs": keySet });
  const env = (await createDatabase()).env({
    OAUTH_ISSUERS: issuer,
    OAUTH_JWKS_URI: `${issuer}/keys`,
    ACCESS_TEAM_DOMAIN: issuer,
    ACCESS_AUDIENCE: "tag",
  });
  const now = Date.now() / 1000;
  const said = claimsOf(issuer, {
    sub: SUBJECT,
    email: EMAIL,
    exp: now + 3600,
    scope: "mcp health metrics admin",
  });
  const good = keepSecret(await sign(key, said));
  const isIn = async () => (await send(env, "/session-health", bearer(good))).status;
  expect(await isIn()).toBe(200);
  const before = await databaseRequests();

  const claim = fc.constantFrom("iss", "sub", "aud", "exp", "nbf", "iat", "scope", "scp", "email", "x");
  const claimed = fc.oneof(json, fc.constant("https://elsewhere.example"));
  const claims = fc.dictionary(claim, claimed, { maxKeys: 3 }).map((changes) => ({ ...said, ...changes }));
  const algorithm = fc.constantFrom("ES256", "RS256", "none", "HS256", "EdDSA");
  const header = fc.record(
    {
      alg: fc.oneof(algorithm, json),
      kid: fc.oneof(fc.constantFrom("one", "two"), json),
      typ: fc.oneof(fc.constantFrom("JWT", "at+jwt"), json),
      crit: json,
      b64: json,
      jwk: fc.constant(stranger.jwk),
    },
    { requiredKeys: [] },
  );
  const signature = fc.oneof(
    fc.constant(good.split(".")[2] ?? ""),
    fc.uint8Array({ maxLength: 80 }).map((bytes) => base64url(String.fromCharCode(...bytes))),
  );
  // The last character of a signature has bits that do not count.
  const place = fc.nat({ max: good.length - 2 });
  const token = fc.oneof(
    headerText.map((value) => value.replaceAll(/\s/g, "")),
    fc.tuple(header, claims, signature).map(([h, c, s]) => `${base64url(h)}.${base64url(c)}.${s}`),
    // The good one has no typ, so its signature fits none of these.
    fc
      .tuple(algorithm, claims, signature)
      .map(([alg, c, s]) => `${base64url({ alg, kid: "one", typ: "JWT" })}.${base64url(c)}.${s}`),
    fc.tuple(json, json, signature).map(([h, c, s]) => `${base64url(h)}.${base64url(c)}.${s}`),
    place.map((at) => good.slice(0, at) + (good[at] === "A" ? "B" : "A") + good.slice(at + 1)),
    place.map((at) => good.slice(0, at)),
    fc.tuple(fc.constant(good), headerText).map(([all, more]) => `${all}.${more.replaceAll(/\s/g, "")}`),
  );
  const forged = claims.map((value) => sign(stranger, value).catch(() => "unsigned"));
  const asHeader = fc.constantFrom(
    (value: string) => ({ Authorization: `Bearer ${value}` }),
    (value: string) => ({ Authorization: `bearer   ${value}` }),
    (value: string) => ({ Authorization: value }),
    (value: string) => ({ Authorization: `DPoP ${value}` }),
    (value: string) => ({ "Cf-Access-Jwt-Assertion": value }),
    (value: string) => ({ "X-API-Key": value }),
    (value: string) => ({ Authorization: `Basic ${btoa(`x:${value}`)}` }),
  );
  const request = fc.record({
    token: fc.oneof({ weight: 5, arbitrary: token }, { weight: 1, arbitrary: forged }),
    as: asHeader,
    route: fc.constantFrom("/session-health", "/metrics", "/sessions", "/mcp"),
  });

  const presentedPieces = new Set<string>();
  await fc.assert(
    fc.asyncProperty(request, async ({ token: made, as, route }) => {
      const presented = typeof made === "string" ? made : await made;
      const pieces = [presented, ...presented.split(".")].filter(({ length }) => length > 30);
      for (const piece of pieces) presentedPieces.add(piece);
      const response = await send(env, route, {
        method: route === "/mcp" ? "POST" : "GET",
        headers: as(presented),
        ...(route === "/mcp" && { body: "{}" }),
      });
      const answer = `${JSON.stringify([...response.headers])}${await response.text()}`;
      expect([400, 401, 503], answer).toContain(response.status);
      expect(pieces.filter((piece) => answer.includes(piece))).toEqual([]);
    }),
    { numRuns: REQUESTS, endOnFailure: true },
  );
  expect(await databaseRequests()).toBe(before);
  const lines = logged();
  const log = lines.map((line) => JSON.stringify(line)).join("\n");
  expect([...presentedPieces].filter((piece) => log.includes(piece))).toEqual([]);
  const reasons = new Set(lines.map((line) => line["reason"]));
  // The tokens were not all refused for one reason.
  for (const reason of ["malformed", "bad_algorithm", "bad_signature", "wrong_issuer"]) {
    expect(reasons).toContain(reason);
  }
  expect(await isIn()).toBe(200);
});
