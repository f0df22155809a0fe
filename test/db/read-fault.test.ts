// How a fault is read, step by step. All that the driver can throw: fault.test.ts.
import { NeonDbError } from "@neondatabase/serverless";
import { expect, test } from "vitest";
import { faultOfSqlstate, readFault } from "../../src/db/read-fault.ts";

const thrown = (message: string, fields: Partial<NeonDbError> = {}) =>
  Object.assign(new NeonDbError(message), fields);
const server = (status: string, body: string) => thrown(`Server error (HTTP status ${status}): ${body}`);

const INTERNAL = { kind: "internal", retryable: false, outcomeUnknown: false, answered: false };
const LOST = { kind: "database_unreachable", retryable: true, outcomeUnknown: true, answered: false };
const QUOTA = { kind: "quota_exceeded", retryable: false, outcomeUnknown: false, answered: false };

test("a code has its own rule, or else that of its class, or else it is a refused write", () => {
  expect(faultOfSqlstate("42P01", "", 400).kind).toBe("schema_missing");
  expect(faultOfSqlstate("42601", "", 400).kind).toBe("internal");
  expect(faultOfSqlstate("53999", "", 400).kind).toBe("overloaded");
  expect(faultOfSqlstate("ZZ999", "", 400).kind).toBe("write_rejected");
});

test.each([
  ["08006", false],
  ["28000", false],
  ["3D000", false],
  ["57P01", false],
  ["57014", true],
  ["42P01", true],
  ["ZZ999", true],
])("SQLSTATE %s of a statement: PostgreSQL has answered it: %s", (sqlstate, answered) => {
  expect(faultOfSqlstate(sqlstate, "", 400)).toMatchObject({ sqlstate, httpStatus: 400, answered });
});

test("with another status than 400 the connection was refused: nothing was answered, and nothing ran", () => {
  for (const sqlstate of ["57P01", "42P01", "57014"])
    expect(faultOfSqlstate(sqlstate, "", 500)).toMatchObject({
      sqlstate,
      httpStatus: 500,
      answered: false,
      outcomeUnknown: false,
    });
  expect(faultOfSqlstate("57P01", "", 400).outcomeUnknown).toBe(true);
});

test("the driver's error is found in what wraps it, however deep", () => {
  const missing = thrown("a message", { code: "42P01" });
  const wrapped = new Error("outer", { cause: new Error("inner", { cause: missing }) });
  expect(readFault(wrapped, false)).toMatchObject({ kind: "schema_missing", sqlstate: "42P01" });
  expect(readFault(new Error("outer", { cause: "a text" }), false)).toEqual(INTERNAL);
  const caused = Object.assign(thrown("a message", { code: "42P01" }), { cause: new TypeError("deeper") });
  expect(readFault(caused, false)).toMatchObject({ kind: "schema_missing" });
});

test.each([
  ["Network connection lost.", LOST],
  ["The NETWORK is down", LOST],
  ["Connection reset", LOST],
  ["terminated", LOST],
  ["Terminated", LOST],
  ["it was terminated", INTERNAL],
  ["terminated by a mistake", INTERNAL],
])("an error that is not the driver's and says %j", (message, fault) => {
  expect(readFault(new TypeError(message), false)).toEqual(fault);
});

test("a fetch that threw says nothing by its text", () => {
  const message = "quota: too many redirects";
  expect(readFault(thrown(message, { sourceError: new Error("x") }), false)).toEqual(LOST);
  expect(readFault(thrown(message), false)).toEqual({ ...QUOTA, httpStatus: 400 });
});

test("the status of an answer is read from the whole of the driver's text, which may have lines", () => {
  expect(readFault(server("402", "one\ntwo"), false)).toEqual({ ...QUOTA, httpStatus: 402 });
  expect(readFault(server("402", ""), false)).toEqual({ ...QUOTA, httpStatus: 402 });
  for (const message of [
    "Oh: Server error (HTTP status 402): x",
    "Server error (HTTP status 4): x",
    "Server error (HTTP status four): x",
  ])
    expect(readFault(thrown(message), false)).toEqual({ ...LOST, httpStatus: 400 });
  expect(readFault(server("500", "x\nyour quota"), false)).toEqual({ ...QUOTA, httpStatus: 500 });
});

test("the SQLSTATE of a refused connection stands in the answer, in five digits and capital letters", () => {
  expect(readFault(server("500", '{"message":"x","code":"53300"}'), false)).toEqual({
    kind: "overloaded",
    retryable: true,
    outcomeUnknown: false,
    sqlstate: "53300",
    httpStatus: 500,
    answered: false,
  });
  for (const code of ["", "5", "5330", "533000", "abcde", "-----"])
    expect(readFault(server("500", `{"message":"x","code":"${code}"}`), false)).toEqual({
      ...LOST,
      httpStatus: 500,
    });
});
