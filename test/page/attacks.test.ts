// Requests that nobody should send, and texts that nobody should be called: nothing runs, nothing leaks, nothing fails.
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { untrusted } from "../../src/page/elements.ts";
import { logged } from "../support/captured-logs.ts";
import { addSessions, createDatabase, keys, remaining, send, type TestDatabase } from "../support/worker.ts";
import { ORIGIN, visitor } from "./browser-like.ts";

let database: TestDatabase;
let env: Env;
let cookie: string;
beforeAll(async () => {
  database = await createDatabase();
  await addSessions(database, { live: null, expired: new Date(Date.now() - 60_000) });
  env = database.env({ ADMIN_PAGE: "true", HEALTH_MAX_AGE_SECONDS: "3600" });
});

const REQUESTS = 5000;

// What routes are made of, and what they are not.
const segment = fc.oneof(
  fc.constantFrom(
    ..."admin sign-in sign-out ask connect sessions runs history regular immediate end begun style.css page.js".split(
      " ",
    ),
  ),
  fc.constantFrom(
    "",
    ".",
    "..",
    "%2e%2e",
    "%00",
    "%ff",
    "%",
    "%e2%80%ae",
    "<script>",
    "'",
    '"',
    "0",
    "-1",
    "1e99",
    "a".repeat(300),
  ),
  fc.string({ unit: "binary", maxLength: 12 }).map(encodeURIComponentSafely),
);
const value = fc.oneof(
  fc.constantFrom(
    "",
    "0",
    "1",
    "-1",
    "admin",
    "alice",
    "\u202e",
    "<b>",
    "' OR 1=1",
    "\0",
    "9".repeat(40),
    "/admin",
    "//x.test",
  ),
  fc.string({ unit: "binary", maxLength: 20 }),
);
const parameters = fc.dictionary(
  fc.constantFrom(
    "next",
    "principal",
    "state",
    "client",
    "session",
    "after",
    "before",
    "tier",
    "outcome",
    "limit",
    "at",
    "now",
    "v",
    "csrf",
    "key",
    "window",
  ),
  value,
  { maxKeys: 4 },
);
const requests = fc.record({
  method: fc.constantFrom("GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"),
  path: fc.array(segment, { maxLength: 4 }),
  query: parameters,
  fields: parameters,
  type: fc.constantFrom(
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json",
    "",
  ),
  origin: fc.constantFrom(ORIGIN, "https://attacker.test", "null", undefined),
  isSignedIn: fc.boolean(),
  other: fc.constantFrom(
    {},
    { Cookie: "__Host-mcp-admin=%" },
    { Authorization: "Bearer x" },
    { Authorization: "Basic ////" },
    { "X-API-Key": "\u00ff" },
    { "Cf-Access-Jwt-Assertion": "a.b.c" },
    { "Sec-Fetch-Site": "cross-site" },
  ),
});

function encodeURIComponentSafely(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

const form = (fields: Record<string, string>) =>
  new URLSearchParams(Object.entries(fields).map(([name, text]) => [name, text.toWellFormed()])).toString();

test(`${REQUESTS} random requests end nothing, run nothing, tell nothing and find no 500`, async () => {
  const person = visitor(env);
  await person.signIn(keys.admin);
  cookie = person.cookie ?? "";
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(requests, async ({ method, path, query, fields, type, origin, isSignedIn, other }) => {
      const hasBody = method !== "GET" && method !== "HEAD";
      const response = await send(env, `/admin/${path.join("/")}?${form(query)}`, {
        method,
        headers: {
          ...(isSignedIn && { Cookie: cookie }),
          ...(origin !== undefined && { Origin: origin }),
          ...(type !== "" && hasBody && { "Content-Type": type }),
          ...other,
        },
        ...(hasBody && { body: form(fields) }),
        redirect: "manual",
      });
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      expect(response.status, `${method} /${path.join("/")}`).toBeLessThan(500);
      const { origin: destination } = new URL(response.headers.get("Location") ?? "/", ORIGIN);
      expect(destination).toBe(ORIGIN);
      const isPage = response.headers.get("Content-Type")?.startsWith("text/html") === true;
      const scripts = (await response.text()).match(/<script/g)?.length ?? 0;
      expect(scripts).toBe(isPage && method !== "HEAD" ? 1 : 0);
    }),
    { numRuns: REQUESTS },
  );
  // They have reached pages, sign-ins and refusals.
  for (const status of [200, 303, 401, 403, 404, 405])
    expect([status, statuses.has(status)]).toEqual([status, true]);
  expect(logged("The request failed")).toEqual([]);
  expect(await remaining(database)).toEqual(["expired", "live"]);
  expect(await database.query("SELECT count(*)::int AS runs FROM mcp_cleanup_runs")).toEqual([{ runs: 0 }]);
});

describe("a text of somebody else", () => {
  const shown = async (text: string, characters?: number) => String(await untrusted(text, characters));

  test.each([
    ["markup", '<img src=x onerror="alert(1)">', "<bdi>&lt;img src=x onerror=&quot;alert(1)&quot;&gt;</bdi>"],
    ["a mark that turns text around", "a\u202eb", "<bdi>a\\u{202e}b</bdi>"],
    ["isolates", "\u2066a\u2069", "<bdi>\\u{2066}a\\u{2069}</bdi>"],
    ["control characters", "a\u0000\u001b[31m\u0085", "<bdi>a\\u{0}\\u{1b}[31m\\u{85}</bdi>"],
    ["lines", "a\nb\u2028c", "<bdi>a\\u{a}b\\u{2028}c</bdi>"],
    ["what is not seen", "a\u200b\u00ad\u3164\u2800b", "<bdi>a\\u{200b}\\u{ad}\\u{3164}\\u{2800}b</bdi>"],
    ["tags", "a\u{e0041}", "<bdi>a\\u{e0041}</bdi>"],
    ["an unpaired surrogate", "a\ud800", "<bdi>a\\u{d800}</bdi>"],
    ["names of people", "Zoë 王小明 नमस्ते 👩", "<bdi>Zoë 王小明 नमस्ते 👩</bdi>"],
  ])("with %s is shown as what it is", async (_name, text, expected) => {
    expect(await shown(text)).toBe(expected);
  });

  test("has three marks on a letter at most", async () => {
    const text = await shown(`a${"\u0301".repeat(50)}`, 60);
    expect(text.match(/\u0301/g)).toHaveLength(3);
  });

  test("of a megabyte is cut, and not inside a character", async () => {
    expect(await shown("x".repeat(1_000_000))).toBe(`<bdi>${"x".repeat(120)}…</bdi>`);
    expect(await shown("👩".repeat(1_000_000), 3)).toBe("<bdi>👩👩👩…</bdi>");
    expect(await shown("abc", 3)).toBe("<bdi>abc</bdi>");
  });
});
