import * as fc from "fast-check";
import { expect, test } from "vitest";
import { BATCH_MESSAGES, BODY_DEPTH, BODY_VALUES, parseBody } from "../../src/http/json-bounds.ts";

const MAX = 16_384;
const bytesOf = (text: string) => new TextEncoder().encode(text);
const parse = (text: string, maxValues = BODY_VALUES) =>
  parseBody(bytesOf(text), { maxValues, clientDataMaxBytes: MAX }).body;
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
    { numRuns: 500 },
  );
});

/** Values and names of members, by the parser. */
function countOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  const names = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, member) => sum + countOf(member), 1 + names);
}

test("as many values are taken as there may be, and not one more", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), fc.constantFrom(0, 2), (value, indent) => {
      fc.pre(!Array.isArray(value) || value.length <= BATCH_MESSAGES);
      const text = JSON.stringify(value, null, indent);
      const count = countOf(JSON.parse(text));
      expect(parse(text, count)).toEqual(JSON.parse(text));
      expect(() => parse(text, count - 1)).toThrow(
        `The body must have ${count - 1} values at most, names of members among them`,
      );
    }),
    { numRuns: 500 },
  );
});

test.each([
  ["commas", ",", /not JSON/],
  ["colons", ":", /not JSON/],
  ["brackets that close", "]", /not JSON/],
  ["values without commas", "1 ", /values/],
  ["texts", '""', /values/],
  ["arrays", "[]", /values/],
])("the reading ends at the first of too many: %s", (_, repeated, says) => {
  // What would be another refusal stands after it.
  const rest = says.source === "values" ? "[".repeat(BODY_DEPTH + 1) : "1 ".repeat(2000);
  expect(() => parse(`[1${repeated.repeat(5000)}${rest}`, 1000)).toThrow(says);
});

test("a byte order mark is no value, and hides no batch", () => {
  expect(parse("\ufeff[1]", 2)).toEqual([1]);
  expect(() => parse(`\ufeff[${"1,".repeat(BATCH_MESSAGES)}1]`)).toThrow(/messages/);
});

test("a text that begins with a byte of the mark is a text", () => {
  const brackets = "[".repeat(BODY_DEPTH + 1);
  expect(parse(`"¿${brackets}"`)).toBe(`¿${brackets}`);
});

test("a batch has as many messages as it may have; what is in a message is none", () => {
  const ones = Array(BATCH_MESSAGES).fill(1);
  expect(parse(`[${ones.join()}]`)).toEqual(ones);
  expect(() => parse(`[${ones.join()},1]`)).toThrow("A batch has at most 20 messages");
  const members = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`m${i}`, ones]));
  for (const value of [members, [members, [...ones, ...ones]]])
    expect(parse(JSON.stringify(value))).toEqual(value);
});

test("bytes that are no UTF-8 end no text", () => {
  // The first byte of three, which a decoder replaces by itself.
  const bytes = new Uint8Array([...bytesOf('["x'), 0xe2, ...bytesOf(`",${"[".repeat(BODY_DEPTH)}`)]);
  expect(() => parseBody(bytes, { maxValues: BODY_VALUES, clientDataMaxBytes: MAX })).toThrow(/levels/);
});

test.each([
  ["Latin-1", [0xe9]],
  ["half of a character", [0xc3]],
  ["a surrogate", [0xed, 0xa0, 0x80]],
  ["a longer form of a quote", [0xc0, 0xa2]],
])("%s is no UTF-8, and is not replaced", (_, odd) => {
  const bytes = new Uint8Array([...bytesOf('{"id":"'), ...odd, ...bytesOf('"}')]);
  expect(() => parseBody(bytes, { maxValues: BODY_VALUES, clientDataMaxBytes: MAX })).toThrow(
    "The body is not in UTF-8",
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

test.each(["", " ", "[1", "[,", "[1,,", "{:", "[1]]", '{"a"', '"', '"\\', "[]]", "]", "1 1", "\0"])(
  "%j is no JSON",
  (text) => {
    expect(() => parse(text)).toThrow("The body is not JSON");
  },
);

const DEEPER = "[".repeat(BODY_DEPTH + 1);

test.each([
  ["a value without its name", `{:"initialize","params":${long}}`],
  ["an escape that is none", String.raw`{"method":"\u69zznitialize","params":${long}}`],
  ["colons where commas are", `[${"1:".repeat(BATCH_MESSAGES + 1)}1]`],
  ["a comma after all", `1,${"1".repeat(9)}`],
])("what is no JSON is none, whatever else it is beyond: %s", (_, text) => {
  expect(() => parse(text)).toThrow("The body is not JSON");
});

test.each([
  ["a comma after all", "1,"],
  ["no comma", "1"],
])("up to its first mistake what is no JSON is read: %s", (_, start) => {
  expect(() => parse(`${start}${DEEPER}`)).toThrow(/levels/);
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
  [`{"method":"xu0069nitialize","params":${long}}`],
  [String.raw`{"method":"\n0069nitialize","params":${long}}`],
])("no other body is taken for initialize: %#", (text) => {
  expect(parse(text)).toEqual(JSON.parse(text));
});

test("a shorter initialize is parsed, whatever it is, up to four times what is kept", () => {
  const longest = (bytes: number) => {
    const text = '{"method":"initialize","params":""}';
    return text.replace('""', `"${"x".repeat(bytes - text.length)}"`);
  };
  expect(parse(longest(4 * MAX))).toMatchObject({ method: "initialize" });
  expect(() => parse(longest(4 * MAX + 1))).toThrow("The body of initialize is too long");
  expect(parse('{"method":"initialize"}')).toEqual({ method: "initialize" });
});
