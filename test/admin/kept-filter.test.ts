// What an operator may say of handles and tasks.
import { expect, test } from "vitest";
import * as z from "zod";
import { handlesFilter, key, keyParams, tasksFilter } from "../../src/admin/kept-filter.ts";

const handles = z.object(handlesFilter);
const tasks = z.object(tasksFilter);
const KEY = "0123456789abcdef".repeat(4);

/** The rule that a value breaks; undefined when it is taken. */
const problemOf = (schema: z.ZodType, name: string, value: unknown) =>
  schema.safeParse({ [name]: value }).error?.issues.map(({ message }) => message);

function expectTaken(schema: z.ZodType, name: string, values: string[]): void {
  for (const value of values) expect([value, problemOf(schema, name, value)]).toEqual([value, undefined]);
}

function expectRefused(schema: z.ZodType, name: string, rule: string, values: string[]): void {
  for (const value of values) expect([value, problemOf(schema, name, value)]).toEqual([value, [rule]]);
}

test("nothing need be said", () => {
  expect(handles.parse({})).toEqual({});
  expect(tasks.parse({})).toEqual({});
  expect(keyParams.parse({ key: KEY })).toEqual({ key: KEY });
});

test("a key is 64 hex digits in small letters", () => {
  const rule = "must be a key, as the list gives them";
  const wrong = ["", KEY.slice(1), `${KEY}0`, KEY.toUpperCase(), `g${KEY.slice(1)}`, ` ${KEY}`, `${KEY}\n`];
  expectTaken(handles, "after", [KEY]);
  expectRefused(handles, "after", rule, wrong);
  expectRefused(tasks, "after", rule, wrong);
  expectRefused(keyParams, "key", rule, wrong);
  expect(key.safeParse(KEY).success).toBe(true);
});

test("a name in the log is 8 hex digits", () => {
  const wrong = ["", "0123abc", "0123abcde", "0123ABCD", "0123abcg", " 0123abcd", "0123abcd\n", "x0123abcdx"];
  for (const [schema, name] of [
    [handles, "handle"],
    [tasks, "task"],
  ] as const) {
    expectTaken(schema, name, ["0123abcd"]);
    expectRefused(schema, name, `must be the 8 characters of a ${name} in the log`, wrong);
  }
});

test("a kind has 64 characters at most, and a tool 128: none of them control characters", () => {
  for (const [schema, name, most] of [
    [handles, "kind", 64],
    [tasks, "tool", 128],
  ] as const) {
    expectTaken(schema, name, ["a", "ä b", " ", "x".repeat(most)]);
    const wrong = ["", "x".repeat(most + 1), "\0", "a\n", "\u001fa", "a\u007f", "\u009fa", "a\u0080b"];
    expectRefused(schema, name, `must be 1 to ${most} characters, without control characters`, wrong);
  }
});

test("states and statuses are of a list", () => {
  for (const schema of [handles, tasks]) {
    expectTaken(schema, "state", ["active", "expired"]);
    expectRefused(schema, "state", "must be active or expired", ["", "ended", "Active"]);
  }
  const statuses = ["working", "input_required", "completed", "cancelled", "failed"];
  expectTaken(tasks, "status", statuses);
  expectRefused(tasks, "status", `must be one of ${statuses.join(", ")}`, ["", "due", "Working"]);
});
