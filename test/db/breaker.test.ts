import { expect, test } from "vitest";
import { createBreaker } from "../../src/db/breaker.ts";

function at() {
  let now = 0;
  return { breaker: createBreaker(() => now), pass: (ms: number) => (now += ms) };
}

test("five failures in a row open the circuit, and four do not", () => {
  const { breaker } = at();
  for (let i = 0; i < 4; i++) expect(breaker.record("timeout")).toBeUndefined();
  expect(breaker.refuses()).toBeUndefined();
  expect(breaker.record("database_unreachable")).toBe("opened");
  expect(breaker.refuses()).toBe("database_unreachable");
});

test("a success in between starts the count anew", () => {
  const { breaker } = at();
  for (let i = 0; i < 4; i++) breaker.record("timeout");
  breaker.record(undefined);
  for (let i = 0; i < 4; i++) breaker.record("timeout");
  expect(breaker.refuses()).toBeUndefined();
});

test.each(["permission_denied", "schema_missing", "read_only", "write_rejected", "internal"] as const)(
  "%s is an answer of the database and opens nothing",
  (kind) => {
    const { breaker } = at();
    for (let i = 0; i < 20; i++) breaker.record(kind);
    expect(breaker.refuses()).toBeUndefined();
  },
);

test("an open circuit lets one request through every two seconds, also when none of them ever comes back", () => {
  const { breaker, pass } = at();
  for (let i = 0; i < 5; i++) breaker.record("overloaded");
  pass(1999);
  expect(breaker.refuses()).toBe("overloaded");
  for (let round = 0; round < 3; round++) {
    pass(round === 0 ? 1 : 2000);
    expect(breaker.refuses()).toBeUndefined();
    for (let i = 0; i < 10; i++) expect(breaker.refuses()).toBe("overloaded");
  }
});

test("a probe that fails keeps it open for as long again, one that succeeds closes it", () => {
  const { breaker, pass } = at();
  for (let i = 0; i < 5; i++) breaker.record("timeout");
  pass(2000);
  expect(breaker.refuses()).toBeUndefined();
  expect(breaker.record("quota_exceeded")).toBeUndefined();
  pass(1999);
  expect(breaker.refuses()).toBe("quota_exceeded");
  pass(1);
  expect(breaker.refuses()).toBeUndefined();
  expect(breaker.record(undefined)).toBe("closed");
  for (let i = 0; i < 10; i++) expect(breaker.refuses()).toBeUndefined();
});
