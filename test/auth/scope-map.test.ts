// The grammar of OAUTH_SCOPES, and what a token's scopes give.
import { expect, test } from "vitest";
import { isScope, ourScopes, parseScopeMap, theirScopes } from "../../src/auth/scope-map.ts";

test("an entry gives ours for theirs, and one that comes again adds to it", () => {
  const { map, problems } = parseScopeMap(" api://x/a=b=mcp ,,\n ops=health+metrics  ops=admin,");
  expect(problems).toEqual([]);
  expect([...map]).toEqual([
    ["api://x/a=b", ["mcp"]],
    ["ops", ["health", "metrics", "admin"]],
  ]);
  expect(ourScopes(["ops", "mcp", "unknown", "ops"], map)).toEqual(["health", "metrics", "admin"]);
  expect(theirScopes("mcp", map)).toEqual(["api://x/a=b"]);
  expect(theirScopes("admin", map)).toEqual(["ops"]);
});

test("without a map they have our names, in our order", () => {
  expect(ourScopes(["admin", "openid", "health"], undefined)).toEqual(["health", "admin"]);
  expect(theirScopes("mcp", undefined)).toEqual(["mcp"]);
  expect(["mcp", "MCP", ""].map(isScope)).toEqual([true, false, false]);
});

test.each([
  ["", ["must have an entry theirs=ours"]],
  [" , ", ["must have an entry theirs=ours"]],
  ["ops", ["entry 1: must be theirs=ours"]],
  ["=mcp", ["entry 1: must be theirs=ours"]],
  ["a=mcp b=root", ["entry 2: ours must be of health, metrics, mcp, admin, joined with +"]],
  ["a=", ["entry 1: ours must be of health, metrics, mcp, admin, joined with +"]],
])("%j is refused by the position of its entry", (text, problems) => {
  expect(parseScopeMap(text).problems).toEqual(problems);
});
