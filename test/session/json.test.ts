import * as fc from "fast-check";
import { expect, test } from "vitest";
import { storabilityProblem } from "../../src/session/json.ts";

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

test.each([
  [null],
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
