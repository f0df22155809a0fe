import * as fc from "fast-check";
import { expect, test } from "vitest";
import { BATCH_MESSAGES, BODY_DEPTH, parseBody } from "../../src/http/json-bounds.ts";

const MAX = 16_384;
const parse = (text: string) => parseBody(text, MAX);
const long = `"${"x".repeat(4 * MAX)}"`;

test("whatever is JSON is parsed as JSON.parse does", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.jsonValue({ maxDepth: 8 }).map((value) => JSON.stringify(value, null, 2)),
      ),
      (text) => {
        const value: unknown = JSON.parse(text);
        fc.pre(!Array.isArray(value) || value.length <= BATCH_MESSAGES);
        expect(parse(text)).toEqual(value);
      },
    ),
    { numRuns: 3000 },
  );
});

test("brackets and quotes in texts are texts", () => {
  for (const content of [
    "[".repeat(500),
    String.raw`\"[`.repeat(500),
    String.raw`\\`,
    String.raw`\\\"{`,
    ",".repeat(50),
  ])
    expect(parse(`["${content}"]`)).toEqual([JSON.parse(`"${content}"`)]);
  // The quote after two backslashes ends the text.
  expect(() => parse(`["\\\\",${"[".repeat(BODY_DEPTH)}`)).toThrow(/levels/);
});

test.each([
  ["arrays", "[", "]"],
  ["objects", '{"a":', "}"],
  ["both", '[{"a":', "}]"],
])("%s are nested as deep as they may be, and no deeper", (_, open, close) => {
  const levels = BODY_DEPTH / (open.length > 5 ? 2 : 1);
  const nested = (count: number) => `${open.repeat(count)}1${close.repeat(count)}`;
  expect(() => parse(nested(levels))).not.toThrow();
  expect(() => parse(nested(levels + 1))).toThrow(/levels/);
  // A parser would not come to the brackets that follow each other.
  expect(() =>
    parse(
      `[${Array(15)
        .fill(nested(levels - 1))
        .join()}]`,
    ),
  ).not.toThrow();
});

test.each(["", " ", "[1", '{"a"', '"', '"\\', "[]]", "]", "1 1", "\0"])("%j is no JSON", (text) => {
  expect(() => parse(text)).toThrow("The body is not JSON");
});

test.each([
  [`{"jsonrpc":"2.0","id":1,"method":"initialize","params":${long}}`],
  [`{"params":${long},"method":"initialize"}`],
  [` { "method" : "initialize" , "params" : ${long} } `],
  [`[{"method":"initialize","params":${long}}]`],
  [`\n[ {"method":"ping"}, {"id":1,"params":{"method":"x"},"method":"initialize","more":${long}}]`],
  [
    String.raw`{"\u006det\u0068od":"\u0069\u006e\u0069\u0074\u0069\u0061\u006c\u0069\u007a\u0065","params":${long}}`,
  ],
  [`{"method":"ping","method":"initialize","params":${long}}`],
])("initialize is found in a body that is too long for it: %#", (text) => {
  expect(() => parse(text)).toThrow("The body of initialize is too long");
});

test.each([
  [`{"method":"tools/call","params":{"name":"x","arguments":{"method":"initialize","value":${long}}}}`],
  [`{"id":"initialize","method":"ping","params":${long}}`],
  [`{"method":["initialize"],"params":${long}}`],
  [`["method","initialize",${long}]`],
  [`{"method":"initialize\\n","params":${long}}`],
  [`{"a":{"method":"initialize"},"params":${long}}`],
  [`[[{"method":"initialize"}],${long}]`],
])("no other body is taken for initialize: %#", (text) => {
  expect(parse(text)).toEqual(JSON.parse(text));
});

test("a shorter initialize is parsed, whatever it is", () => {
  expect(parse('{"method":"initialize"}')).toEqual({ method: "initialize" });
});
