// The names of principals: of keys, and of the bearers of tokens.
import { Hono } from "hono";
import { expect, test } from "vitest";
import { bearerIn, labelOf, nameOfBearer, principalOf } from "../../src/auth/principal.ts";
import { principalName } from "../../src/auth/principal-name.ts";

test("the name of a bearer tells its issuer and its subject", () => {
  for (const [issuer, subject] of [
    ["https://a.example", "zoe"],
    ['a"', "[\\"],
    ["", ""],
  ] as const)
    expect(bearerIn(nameOfBearer(issuer, subject))).toEqual({ issuer, subject });
});

test.each([
  null,
  "alice",
  '["a", "b"]',
  '["a","b","c"]',
  '["a"]',
  '["a",1]',
  '[1,"b"]',
  '["a","b"] ',
  '["a","b"',
  '{"0":"a","1":"b"}',
])("%j is the name of no bearer", (name) => {
  expect(bearerIn(name)).toBeUndefined();
});

test("a log line calls a key by its name, and a person by eight characters of a hash", async () => {
  expect(await labelOf("alice")).toBe("alice");
  const [zoe, ben] = [await labelOf(nameOfBearer("a", "zoe")), await labelOf(nameOfBearer("a", "ben"))];
  expect(zoe).toMatch(/^person:[0-9a-f]{8}$/);
  expect(zoe).not.toBe(ben);
  // Its hash begins with a zero.
  expect(await labelOf('["a","44"]')).toBe("person:09a4da30");
});

test("a request has a principal, or its route is a mistake of ours", async () => {
  const app = new Hono<{ Variables: { principal: { name: string } } }>();
  app.get("/with", (c) => {
    c.set("principal", { name: "alice" });
    return c.text(principalOf(c));
  });
  app.get("/without", (c) => c.text(principalOf(c)));
  app.onError((error, c) => c.text(error.message, 500));
  expect(await (await app.request("/with")).text()).toBe("alice");
  expect(await (await app.request("/without")).text()).toBe("The route has no authentication");
});

const FOX = "🦊";

test.each([
  ["one character", "a"],
  ["512 characters", "a".repeat(512)],
  ["512 characters of two units", FOX.repeat(512)],
])("an operator may ask for a name of %s", (_, name) => {
  expect(principalName.safeParse(name).success).toBe(true);
});

test.each([
  ["nothing", "", "must not be empty"],
  ["513 characters", "a".repeat(513), "must be 512 characters at most"],
  ["513 characters of two units", FOX.repeat(513), "must be 512 characters at most"],
  ["a control character at the end", "alice\n", "must have no control characters"],
  ["one in the middle", "ali\u0000ce", "must have no control characters"],
  ["one of the second kind", "\u0085alice", "must have no control characters"],
])("a name of %s is refused in our words", (_, name, words) => {
  expect(principalName.safeParse(name).error?.issues.map(({ message }) => message)).toContain(words);
});
