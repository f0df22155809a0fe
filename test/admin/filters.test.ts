// What the parameters of the operator's lists take, and what they say of the rest.
import { expect, test } from "vitest";
import * as z from "zod";
import { handlesFilter, key, tasksFilter } from "../../src/admin/kept-filter.ts";
import {
  clientPart,
  handle,
  nameInLogs,
  principalIn,
  stateOfSession,
} from "../../src/admin/session-filter.ts";
import { limit } from "../../src/http/input.ts";

const hash = "0123456789abcdef".repeat(4);
const uuid = "0123abcd-4567-4abc-9def-0123456789ab";
const words = (what: string) => `must be the 8 characters of a ${what} in the log`;
const STATE = "must be active or expired";
const KEY = "must be a key, as the list gives them";
const WORD = (most: number) => `must be 1 to ${most} characters, without control characters`;
const LIMIT = "must be a whole number from 1 to 1000";

const cases: [name: string, schema: z.ZodType, taken: unknown[], rule: string, refused: unknown[]][] = [
  ["handle", handle, [uuid], "must be a handle, as GET /sessions gives them", ["", `${uuid}0`, hash]],
  ["state", stateOfSession, ["active", "expired"], STATE, ["", "ended", "Active"]],
  ["state of handles", handlesFilter.state, ["active", "expired", undefined], STATE, ["", "ended"]],
  [
    "session",
    nameInLogs,
    ["0a1b2c3d"],
    words("session"),
    ["0a1b2c3", "0a1b2c3d0", "x0a1b2c3d", "0A1B2C3D", "0a1b2c3g", "0a1b2c3d\n"],
  ],
  [
    "handle in logs",
    handlesFilter.handle,
    ["0a1b2c3d", undefined],
    words("handle"),
    ["0a1b2c3", "00a1b2c3d"],
  ],
  ["task in logs", tasksFilter.task, ["0a1b2c3d"], words("task"), ["0a1b2c3", "0a1b2c3d0", "0a1b2c3g"]],
  [
    "client",
    clientPart,
    ["x", "é".repeat(128)],
    WORD(128),
    ["", "x".repeat(129), "x\n", "\u0085x", "a\u0000b"],
  ],
  ["kind", handlesFilter.kind, ["x", "x".repeat(64)], WORD(64), ["", "x".repeat(65), "x\n", "\u007fx"]],
  [
    "key",
    key,
    [hash],
    KEY,
    ["", `${hash}0`, `x${hash}`, `g${hash.slice(1)}`, hash.slice(1), hash.toUpperCase()],
  ],
  ["after", tasksFilter.after, [hash, undefined], KEY, [uuid]],
  [
    "status",
    tasksFilter.status,
    ["working", "failed"],
    "must be one of working, input_required, completed, cancelled, failed",
    ["done", ""],
  ],
  [
    "limit",
    limit,
    ["1", "1000", undefined],
    LIMIT,
    ["", "0", "1001", "-1", "1.5", "1e2", " 1", "0x1", "1\n"],
  ],
];

test.each(cases)("%s", (_, schema, taken, rule, refused) => {
  expect(taken.filter((value) => !schema.safeParse(value).success)).toEqual([]);
  for (const value of refused) {
    const messages = schema.safeParse(value).error?.issues.map(({ message }) => message);
    expect([value, messages]).toEqual([value, [rule]]);
  }
});

test("the size of a page is a hundred, when nobody says another", () => {
  expect([limit.parse(undefined), limit.parse("0007")]).toEqual([100, 7]);
});

test("a principal is meant by its name, or by its issuer and subject together", () => {
  expect(principalIn({})).toBeUndefined();
  expect(principalIn({ principal: "alice" })).toBe("alice");
  expect(principalIn({ issuer: "i", subject: "s" })).toBe('["i","s"]');
  for (const alone of [{ issuer: "i" }, { subject: "s" }])
    expect(() => principalIn(alone)).toThrow("issuer and subject must be given together");
  for (const both of [{ issuer: "i" }, { subject: "s" }, { issuer: "i", subject: "s" }])
    expect(() => principalIn({ principal: "alice", ...both })).toThrow("must not stand beside");
});
