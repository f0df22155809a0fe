// The variables of the streams.
import { expect, test } from "vitest";
import { readSettings } from "../../src/settings.ts";
import { streamSettings } from "../../src/streams/settings.ts";
import { problemsIn } from "../support/problems.ts";

const read = (env: object) => readSettings(streamSettings, env);
const problemsOf = (env: object) => problemsIn(() => read(env));

test("without variables no answer outlives its request, and nothing is sealed", () => {
  expect(read({})).toEqual({ streams: undefined, requestStateKeys: undefined });
  expect(read({ MCP_STREAMS: "false", MCP_STREAM_TTL_SECONDS: "60" }).streams).toBeUndefined();
});

test("with MCP_STREAMS events are kept for ten minutes, and a client comes back after a second", () => {
  expect(read({ MCP_STREAMS: "true" }).streams).toEqual({ ttlSeconds: 600, retryMs: 1000 });
});

test.each([
  ["MCP_STREAM_TTL_SECONDS", "ttlSeconds", 60, 86_400],
  ["MCP_STREAM_RETRY_MS", "retryMs", 100, 60_000],
] as const)("%s has bounds", (variable, member, least, most) => {
  for (const value of [least, most])
    expect(read({ MCP_STREAMS: "true", [variable]: String(value) }).streams?.[member]).toBe(value);
  for (const value of [least - 1, most + 1])
    expect(problemsOf({ [variable]: String(value) })).toEqual({
      [variable]: `must be a whole number from ${least} to ${most}`,
    });
});

const [A, B, C] = ["a".repeat(32), "b".repeat(33), "c".repeat(40)] as const;

test.each<[given: string, keys: string[]]>([
  [A, [A]],
  [`${A} ${B}`, [A, B]],
  [`${A},${B}`, [A, B]],
  [`${A}, ${B}\n\t${C}`, [A, B, C]],
  [`  ${A}\n`, [A]],
  [`,${A},`, [A]],
])("the keys of %j are its words, in order", (given, keys) => {
  expect(read({ MCP_REQUEST_STATE_KEYS: given }).requestStateKeys).toEqual(keys);
});

test.each([
  ["a key of 31 characters", A.slice(1)],
  ["a short key after a long one", `${A} short`],
  ["a short key before a long one", `short ${A}`],
  ["no key", ""],
  ["separators alone", " , \n"],
])("%s is refused", (_, given) => {
  expect(problemsOf({ MCP_REQUEST_STATE_KEYS: given })).toEqual({
    MCP_REQUEST_STATE_KEYS: "must be keys of 32 characters or more, with spaces between them",
  });
});
