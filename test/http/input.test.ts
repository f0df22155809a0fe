// What stands in a path or a query.
import { Hono } from "hono";
import { expect, test } from "vitest";
import * as z from "zod";
import { AppError } from "../../src/http/errors.ts";
import { limit, noQuery, readFields, readParams, readQuery, wholeNumber } from "../../src/http/input.ts";

const number = wholeNumber(3, 10_000, "must be a whole number from 3 to 10000");

test.each([
  ["3", 3],
  ["42", 42],
  ["0042", 42],
  ["10000", 10_000],
])("%s is the number %d", (text, value) => {
  expect(number.parse(text)).toBe(value);
});

test.each([
  "",
  "2",
  "10001",
  "-5",
  "+5",
  " 5",
  "5 ",
  "5.0",
  "1e2",
  "0x10",
  "٣٣",
  "9".repeat(17),
  5,
  null,
  undefined,
])("%j is none, and is told the rule", (text) => {
  const messages = number.safeParse(text).error?.issues.map(({ message }) => message);
  expect(messages).toEqual(["must be a whole number from 3 to 10000"]);
});

test("a page has from 1 to 1000 rows, and 100 when nothing is said", () => {
  expect([undefined, "1", "1000"].map((text) => limit.parse(text))).toEqual([100, 1, 1000]);
  for (const text of ["0", "1001"])
    expect(limit.safeParse(text).error?.issues[0]?.message).toBe("must be a whole number from 1 to 1000");
});

const query = z.strictObject({
  limit: limit.optional(),
  state: z.string({ error: "must be a text" }).optional(),
});
const app = new Hono()
  .get("/list", (c) => c.json(readQuery(c, query)))
  .get("/none", (c) => c.json(readQuery(c, noQuery)))
  .get("/one/:key", (c) => c.json(readParams(c, z.object({ key: z.literal("k", { error: "must be k" }) }))))
  .onError((error, c) => {
    if (!(error instanceof AppError)) throw error;
    return c.json({ code: error.code, message: error.message }, 400);
  });
const answer = async (path: string) => (await app.request(path)).json();
const refused = (message: string) => ({ code: "invalid_request", message });

test("what is right is read", async () => {
  expect(await answer("/list?limit=5&state=a")).toEqual({ limit: 5, state: "a" });
  expect(await answer("/none")).toEqual({});
  expect(await answer("/one/k")).toEqual({ key: "k" });
});

test("what is wrong is named", async () => {
  expect(await answer("/list?limit=no")).toEqual(
    refused("The parameter limit must be a whole number from 1 to 1000"),
  );
  expect(await answer("/list?state=a&state=a")).toEqual(refused("The parameter state is given twice"));
  expect(await answer("/one/x")).toEqual(refused("The parameter key must be k"));
  expect(() => readFields({ key: 1 }, z.object({ key: z.string({ error: "must be a text" }) }))).toThrow(
    "The parameter key must be a text",
  );
  expect(() => readFields({ key: 1 }, noQuery)).toThrow(
    "The parameter key is not known; this route has none",
  );
});

test.each([
  ["colour", "The parameter colour"],
  ["a", "The parameter a"],
  ["A_b.c-9", "The parameter A_b.c-9"],
  ["x".repeat(23), `The parameter ${"x".repeat(23)}`],
  // As long as a key, or with other characters: it could be a secret.
  ["x".repeat(24), "A parameter"],
  ["9a", "A parameter"],
  ["-a", "A parameter"],
  ["a[]", "A parameter"],
  ["a!b", "A parameter"],
  ["!a", "A parameter"],
])("an unknown parameter is named where that can be no secret: %s", async (name, subject) => {
  const path = `?${encodeURIComponent(name)}=1`;
  expect(await answer(`/list${path}`)).toEqual(refused(`${subject} is not known; known are limit, state`));
  expect(await answer(`/none${path}`)).toEqual(refused(`${subject} is not known; this route has none`));
});
