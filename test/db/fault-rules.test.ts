// The tables of faults by themselves. What the driver throws, and what is read from it: fault.test.ts.
import { expect, test } from "vitest";
import {
  proxyRules,
  type Rule,
  sqlstateRules,
  statusRules,
  unknownSqlstate,
} from "../../src/db/fault-rules.ts";

const word = ({ kind, retryable, outcomeUnknown }: Rule) =>
  `${kind}, ${retryable ? "again" : "never again"}${outcomeUnknown ? ", outcome unknown" : ""}`;

const INTERNAL = "internal, never again";
const REJECTED = "write_rejected, never again";
const MISSING = "schema_missing, never again";
const DENIED = "permission_denied, never again";
const BUSY = "overloaded, again";
const LOST = "database_unreachable, again, outcome unknown";
const AWAY = "database_unreachable, again";
const GONE = "database_unreachable, never again";
const QUOTA = "quota_exceeded, never again";

const ofCodes: [codes: string, rules: string[]][] = [
  ["0B 22021 22P05 25 26 2D 34 3B 42 55 F0", [INTERNAL]],
  ["42702 42725 42804 42809 42846 428C9 42P10 42P17 55000", [REJECTED]],
  ["3F 42703 42883 42P01", [MISSING]],
  ["28 42501", [DENIED]],
  ["40001 40P01 53 55P03", [BUSY]],
  ["40003 57", [LOST]],
  ["57P03", [AWAY]],
  ["3D 57P04", [GONE]],
  ["25006", ["read_only, never again"]],
  ["57014", ["timeout, never again"]],
  ["08", [AWAY, LOST]],
  ["08P01", [BUSY, AWAY, LOST, INTERNAL]],
  ["58 XX", [AWAY, INTERNAL]],
  ["53100", [QUOTA, "overloaded, never again"]],
];

test.each(ofCodes)("SQLSTATE %s: %j", (codes, rules) => {
  for (const code of codes.split(" ")) expect([code, sqlstateRules[code]?.map(word)]).toEqual([code, rules]);
});

test("there is no rule for another SQLSTATE, and one that no rule knows is a refused write", () => {
  const known = ofCodes.flatMap(([codes]) => codes.split(" "));
  expect(Object.keys(sqlstateRules).toSorted()).toEqual(known.toSorted());
  expect(word(unknownSqlstate)).toBe(REJECTED);
});

test("the last rule of each SQLSTATE is for every text, and no other one is", () => {
  for (const rules of Object.values(sqlstateRules))
    expect(rules.map(({ text }) => text === undefined)).toEqual(rules.map((_, i) => i === rules.length - 1));
});

test.each([
  ["08P01", "max_client_conn", 0],
  ["08P01", "max_db_client_conn", 0],
  ["08P01", "max_user_client_conn", 0],
  ["08P01", "max_other_client_conn", 3],
  ["08P01", "query_wait_timeout", 0],
  ["08P01", "resources exhaustion", 0],
  ["08P01", "server_login_retry", 1],
  ["08P01", "server login failed", 1],
  ["08P01", "client_login_timeout", 1],
  ["08P01", "shutting down", 1],
  ["08P01", "pause failed", 1],
  ["08P01", "server conn crashed", 2],
  ["08P01", "server connection closed", 2],
  ["08P01", "query timeout", 2],
  ["08P01", "query_timeout", 2],
  ["08P01", "transaction timeout", 2],
  ["08P01", "Query cancelled", 2],
  ["08P01", "Max_client_conn", 3],
  ["53100", "project size limit", 0],
  ["53100", "no space left", 1],
  ["08", "[NEON_SMGR]", 0],
  ["58", "page server", 0],
  ["XX", "PageServer", 0],
  ["XX", "server", 1],
] as const)("SQLSTATE %s with %j takes the rule %i", (code, message, rule) => {
  expect(sqlstateRules[code]?.findIndex(({ text }) => text?.test(message) ?? true)).toBe(rule);
});

test("an HTTP status that says enough", () => {
  expect(Object.entries(statusRules).map(([status, rule]) => [Number(status), word(rule)])).toEqual([
    [401, DENIED],
    [402, QUOTA],
    [403, DENIED],
    [404, GONE],
    [413, INTERNAL],
    [429, BUSY],
    [507, "internal, never again, outcome unknown"],
  ]);
});

test("the proxy's own words, in the order in which they count", () => {
  expect(proxyRules.map((rule) => [word(rule), rule.status])).toEqual([
    [AWAY, undefined],
    [DENIED, undefined],
    [AWAY, undefined],
    [QUOTA, undefined],
    [BUSY, undefined],
    [GONE, undefined],
    [AWAY, undefined],
    [AWAY, 500],
    ["internal, never again, outcome unknown", undefined],
    [INTERNAL, undefined],
  ]);
});
