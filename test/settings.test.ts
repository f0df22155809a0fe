// What rooms declare their variables with.
import { describe, expect, test } from "vitest";
import * as z from "zod";
import {
  choice,
  ConfigurationError,
  defineSettings,
  flag,
  integer,
  manuals,
  optionalBinding,
  optionalInteger,
  readSettings,
  text,
} from "../src/settings.ts";

const messagesOf = (schema: z.ZodType, value: unknown) =>
  schema.safeParse(value).error?.issues.map(({ message }) => message);

const range = { description: "How many.", unit: "rows", min: 3, max: 100 };
const whole = integer({ ...range, default: 7 });
const optional = optionalInteger({ ...range, default: "no bound" });

describe.each([
  ["a whole number", whole],
  ["one that may be left out", optional],
])("%s", (_, schema) => {
  test.each([
    ["3", 3],
    ["100", 100],
    ["007", 7],
    [5, 5],
  ])("takes %j", (value, number) => {
    expect(schema.parse(value)).toBe(number);
  });

  test.each(["2", "101", "", "-5", " 5", "5 ", "5.0", "5e1", "x5", "5x", "9".repeat(16), true])(
    "refuses %j by its rule alone",
    (value) => {
      expect(messagesOf(schema, value)).toEqual(["must be a whole number from 3 to 100"]);
    },
  );

  test.each([{}, null, []])("must be set to a value: %j", (value) => {
    expect(messagesOf(schema, value)).toEqual(["must be set"]);
  });
});

test("without a value there is the default, or null", () => {
  expect(whole.parse(undefined)).toBe(7);
  expect(optional.parse(undefined)).toBeNull();
  expect(manuals.get(whole)).toEqual({
    description: "How many.",
    form: "rows, 3 to 100",
    default: "7",
    kind: "variable",
  });
  expect(manuals.get(optional)).toMatchObject({ form: "rows, 3 to 100", default: "no bound" });
});

test("a flag is true or false, in any case and as a number", () => {
  const [on, off] = [true, false].map((value) => flag({ description: "Whether.", default: value }));
  if (on === undefined || off === undefined) throw new Error("There are two");
  expect([on.parse(undefined), off.parse(undefined)]).toEqual([true, false]);
  for (const value of ["true", "TRUE", "1", 1, true]) expect(off.parse(value)).toBe(true);
  for (const value of ["false", "False", "0", 0, false]) expect(on.parse(value)).toBe(false);
  for (const value of ["", "yes", "2", " true"])
    expect(messagesOf(on, value)).toEqual(["must be true, false, 1 or 0"]);
  expect(manuals.get(on)).toMatchObject({ form: "`true`, `false`, `1`, `0`, any case", default: "true" });
});

test("a choice is one of its values", () => {
  const schema = choice(["slow", "fast"], { description: "How.", default: "fast" });
  expect([schema.parse(undefined), schema.parse("slow")]).toEqual(["fast", "slow"]);
  for (const value of ["", "Slow", "slow "])
    expect(messagesOf(schema, value)).toEqual(["must be one of slow, fast"]);
  expect(manuals.get(schema)).toMatchObject({ form: "`slow`, `fast`", default: "fast" });
});

test("a binding has its method, or is left out", () => {
  const schema = optionalBinding("send", { description: "Where to.", form: "Queue" });
  const binding = { send: () => undefined };
  expect([schema.parse(undefined), schema.parse(binding)]).toEqual([undefined, binding]);
  for (const value of ["queue", 7, null, {}, { send: 1 }])
    expect(messagesOf(schema, value)).toEqual(["must be a Queue"]);
  expect(manuals.get(schema)).toMatchObject({ default: null, kind: "binding" });
});

const settings = defineSettings({
  shape: { LEAST: whole, MOST: optional, NAME: text },
  rules: [
    {
      variable: "MOST",
      holds: ({ LEAST, MOST }) => MOST === null || MOST > LEAST,
      problem: "must be more than LEAST",
    },
  ],
  read: ({ LEAST, MOST, NAME }) => ({ least: LEAST, most: MOST, name: NAME }),
});

test("a room reads its own variables, whatever else there is", () => {
  expect(readSettings(settings, { LEAST: "5", NAME: "a", OTHER: {} })).toEqual({
    least: 5,
    most: null,
    name: "a",
  });
  const { rules: _, ...unruled } = settings;
  expect(readSettings(unruled, { MOST: "3", NAME: "a" })).toMatchObject({ least: 7, most: 3 });
});

test.each([
  [{ LEAST: "x" }, { LEAST: "must be a whole number from 3 to 100", NAME: "must be set" }],
  [{ LEAST: "9", MOST: "9", NAME: "a" }, { MOST: "must be more than LEAST" }],
])("every variable that is wrong is named: %j", (env, problems) => {
  let thrown: unknown;
  try {
    readSettings(settings, env);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(ConfigurationError);
  expect(thrown).toMatchObject({
    name: "ConfigurationError",
    problems,
    message: `The configuration is wrong: ${Object.entries(problems)
      .map((entry) => entry.join(" "))
      .join("; ")}`,
  });
});
