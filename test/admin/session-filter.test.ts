// What an operator may say of sessions, and whose they are.
import { expect, test } from "vitest";
import * as z from "zod";
import {
  clientPart,
  handle,
  meantPrincipal,
  nameInLogs,
  principalIn,
  stateOfSession,
} from "../../src/admin/session-filter.ts";
import { nameOfBearer } from "../../src/auth/principal.ts";

const HANDLE = "01234567-89ab-cdef-0123-456789abcdef";

test.each<[string, z.ZodType, rule: string, taken: string[], refused: string[]]>([
  [
    "a handle",
    handle,
    "must be a handle, as GET /sessions gives them",
    [HANDLE, HANDLE.toUpperCase(), "00000000-0000-0000-0000-000000000000"],
    ["", HANDLE.slice(1), `${HANDLE}0`, HANDLE.replaceAll("-", ""), `g${HANDLE.slice(1)}`, ` ${HANDLE}`],
  ],
  [
    "a name in the log",
    nameInLogs,
    "must be the 8 characters of a session in the log",
    ["0123abcd"],
    ["", "0123abc", "0123abcde", "0123ABCD", "0123abcg", " 0123abcd", "0123abcd\n"],
  ],
  [
    "a part of a client's name",
    clientPart,
    "must be 1 to 128 characters, without control characters",
    ["a", "ä b", "%", "x".repeat(128)],
    ["", "x".repeat(129), "\0", "a\n", "\u001fa", "a\u007f", "\u009fa"],
  ],
  ["a state", stateOfSession, "must be active or expired", ["active", "expired"], ["", "ended", "Active"]],
])("%s", (_, schema, rule, taken, refused) => {
  for (const value of taken) expect(schema.parse(value)).toBe(value);
  for (const value of refused)
    expect([value, schema.safeParse(value).error?.issues.map(({ message }) => message)]).toEqual([
      value,
      [rule],
    ]);
});

test("whose sessions: a name of a key, or the bearer of a token by both of its names", () => {
  expect(z.object(meantPrincipal).parse({})).toEqual({});
  expect(principalIn({})).toBeUndefined();
  expect(principalIn({ principal: "ann" })).toBe("ann");
  expect(principalIn({ issuer: "https://a.example", subject: "ann" })).toBe(
    nameOfBearer("https://a.example", "ann"),
  );
  for (const half of [{ issuer: "i" }, { subject: "s" }])
    expect(() => principalIn(half)).toThrow("The parameters issuer and subject must be given together");
  for (const person of [{ issuer: "i" }, { subject: "s" }, { issuer: "i", subject: "s" }])
    expect(() => principalIn({ principal: "ann", ...person })).toThrow(
      "The parameter principal must not stand beside issuer and subject",
    );
});
