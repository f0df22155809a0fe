import * as fc from "fast-check";
import { expect, test } from "vitest";
import { isLongerThan, storabilityProblem, utf8Bytes } from "../../src/session/json.ts";

class Point {
  x = 1;
}
const cycle: unknown[] = [];
cycle.push(cycle);
const nested = (levels: number) => {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
};
const nestedObjects = (levels: number) => {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = { a: value };
  return value;
};

test.each([
  [undefined, "value is undefined"],
  [{ a: [1, undefined] }, "value.a[1] is undefined"],
  [Number.NaN, "value is NaN"],
  [{ a: Number.POSITIVE_INFINITY }, "value.a is Infinity"],
  [-0, "value is -0"],
  [2 ** 53, "value is a whole number beyond 2^53: keep it as text"],
  [[-(2 ** 60)], "value[0] is a whole number beyond 2^53: keep it as text"],
  [1n, "value is a bigint"],
  [Symbol("s"), "value is a symbol"],
  [{ f() {} }, "value.f is a function"],
  [new Date(0), "value is not a plain object"],
  [{ m: new Map([[1, 2]]) }, "value.m is not a plain object"],
  [new Point(), "value is not a plain object"],
  [{ [Symbol("s")]: 1 }, "value has a symbol as a key"],
  // oxlint-disable-next-line no-sparse-arrays -- what is to be refused
  [[1, , 2], "value is an array with holes or names"],
  [Object.assign([1], { name: 1 }), "value is an array with holes or names"],
  ["a\0b", "value contains a NUL character"],
  [{ "a\0b": 1 }, "a key of value contains a NUL character"],
  [["\ud800"], "value[0] contains an unpaired surrogate"],
  [{ "\udc00": 1 }, "a key of value contains an unpaired surrogate"],
  [cycle, "value[0] contains itself"],
  [nested(201), `value${"[0]".repeat(200)} is nested more than 200 levels deep`],
])("a value that would come back as another is refused with its place: %#", (value, problem) => {
  expect(storabilityProblem(value)).toBe(problem);
});

const shared = { a: [1] };

test.each([
  [null],
  [true],
  [false],
  [[shared, shared, { b: shared }]],
  [2 ** 53 - 1],
  [1.5e-300],
  [nested(200)],
  [{ __proto__: null, a: 1 }],
  [JSON.parse('{"__proto__": 1}')],
])("what comes back as it was is taken: %#", (value) => {
  expect(storabilityProblem(value)).toBeUndefined();
});

test("whatever is taken, JSON gives back as it was", () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true }), (value) => {
      fc.pre(storabilityProblem(value) === undefined);
      expect(JSON.parse(JSON.stringify(value))).toEqual(value);
    }),
    { numRuns: 2000 },
  );
});

test("what is longer for certain is longer as JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(200), (value, bytes) => {
      const length = utf8Bytes(JSON.stringify(value));
      expect(isLongerThan(bytes, value) && length <= bytes).toBe(false);
      expect(isLongerThan(bytes, "x".repeat(bytes))).toBe(true);
      expect(isLongerThan(bytes + 2, "x".repeat(bytes))).toBe(false);
    }),
    { numRuns: 2000 },
  );
});

test.each<[string, value: unknown, least: number]>([
  ["a text has its quotes", "ab", 4],
  ["any other value has a byte", 12_345, 1],
  ["a list has its items", [1, 2, 3], 4],
  ["an object has its names and members", { a: 1, bc: "d" }, 1 + 3 + 1 + 4 + 3],
  ["an empty object has a byte", {}, 1],
  ["an empty list has a byte", [], 1],
  ["what is deep enough in objects is not looked at", nestedObjects(300), 201 + 3 * 200],
  ["what is deep enough is not looked at", nested(300), 201],
  ["and what is less deep is", nested(200), 201],
])("%s: no shorter than %j is", (_, value, least) => {
  expect([isLongerThan(least, value), isLongerThan(least - 1, value)]).toEqual([false, true]);
});

test("no more of a value is looked at than may be long enough", () => {
  let looked = 0;
  const item = {
    get a() {
      looked += 1;
      return 1;
    },
  };
  expect(
    isLongerThan(
      1000,
      Array.from({ length: 500 }, () => item),
    ),
  ).toBe(true);
  expect(looked).toBeLessThanOrEqual(334);
  looked = 0;
  expect(
    isLongerThan(
      1000,
      Array.from({ length: 100_000 }, () => item),
    ),
  ).toBe(true);
  expect(isLongerThan(1000, Array(1e9))).toBe(true);
  const names = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`name ${i}`, 1]));
  expect(isLongerThan(1000, Object.defineProperties(names, Object.getOwnPropertyDescriptors(item)))).toBe(
    true,
  );
  expect(looked).toBe(0);
  expect(isLongerThan(1000, cycle)).toBe(false);
});

test.each([["a"], ["é"], ["€"], ["🙂"], ["\u0000"], [""]])(
  "the bytes of %j are those of UTF-8",
  (character) => {
    expect(utf8Bytes(character.repeat(10))).toBe(Buffer.byteLength(character.repeat(10)));
  },
);
