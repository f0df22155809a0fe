// The grammar of API_KEYS.
import { expect, test } from "vitest";
import { KEY_NAME, parseApiKeys } from "../../src/auth/api-keys.ts";

const KEY = "abcdefghijklmnopqrstuvwx";
const DIGEST = "0123456789abcdef".repeat(4);

test("entries are separated by commas and white space of any number", () => {
  const text = ` \n,a:mcp:${KEY} ,, \t b:admin+health:sha256=${DIGEST.toUpperCase()}\n,`;
  expect(parseApiKeys(text)).toEqual({
    keys: [
      { name: "a", scopes: ["mcp"], secret: { key: KEY } },
      { name: "b", scopes: ["health", "admin"], secret: { sha256: DIGEST } },
    ],
    problems: [],
  });
});

test.each(["", " , \n"])("%j has no entry", (text) => {
  expect(parseApiKeys(text)).toEqual({ keys: [], problems: ["must have an entry name:scopes:key"] });
});

test("a name has 1 to 64 letters, digits, dots, dashes and underscores", () => {
  for (const name of ["a", "A.b_c-9", "n".repeat(64)]) expect(KEY_NAME.test(name)).toBe(true);
  for (const name of ["", "n".repeat(65), "a b", "é", "a\n", " a"]) expect(KEY_NAME.test(name)).toBe(false);
});

test.each([
  KEY,
  "a".repeat(256),
  "a-._~+/0Z".repeat(3),
  `${KEY}=`,
  `${KEY.slice(1)}=`,
  `${KEY}==`,
  // It has only the beginning of a digest.
  `sha256${KEY}`,
])("%s is a key", (key) => {
  expect(parseApiKeys(`a:mcp:${key}`)).toMatchObject({ keys: [{ secret: { key } }], problems: [] });
});

const KEY_RULE = "the key must be 24 to 256 token68 characters, or sha256= and 64 hex digits";
const ENTRY_RULE = "must be name:scopes:key";

test.each([
  ["a:mcp", ENTRY_RULE],
  ["a:mcp:", ENTRY_RULE],
  [`a:mcp:${KEY}:`, ENTRY_RULE],
  [`:mcp:${KEY}`, "the name must be 1 to 64 letters, digits, dots, dashes or underscores"],
  [`a::${KEY}`, "the scopes must be of health, metrics, mcp, admin, each once, joined with +"],
  [`a:mcp+mcp:${KEY}`, "the scopes must be of health, metrics, mcp, admin, each once, joined with +"],
  [`a:mcp+root:${KEY}`, "the scopes must be of health, metrics, mcp, admin, each once, joined with +"],
  [`a:mcp:${KEY.slice(1)}`, KEY_RULE],
  [`a:mcp:${"a".repeat(257)}`, KEY_RULE],
  [`a:mcp:${"=".repeat(24)}`, KEY_RULE],
  [`a:mcp:${KEY}=a`, KEY_RULE],
  [`a:mcp:!${KEY}`, KEY_RULE],
  [`a:mcp:${KEY}!`, KEY_RULE],
  [`a:mcp:sha256=${DIGEST.slice(1)}`, KEY_RULE],
  [`a:mcp:sha256=${DIGEST}0`, KEY_RULE],
  [`a:mcp:xsha256=${DIGEST}`, KEY_RULE],
  [`a:mcp:sha256=g${DIGEST.slice(1)}`, KEY_RULE],
])("the second of two entries is named when it is %s", (entry, problem) => {
  expect(parseApiKeys(`ok:mcp:${KEY},${entry}`)).toMatchObject({
    keys: [{ name: "ok" }],
    problems: [`entry 2: ${problem}`],
  });
});
