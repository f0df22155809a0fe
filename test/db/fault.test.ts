// Whatever the driver can throw, and what is left of it. Other tests produce most of these for real; here are also
// the texts that only Neon's own proxy writes.
import { NeonDbError } from "@neondatabase/serverless";
import { DrizzleQueryError } from "drizzle-orm";
import { expect, test } from "vitest";
import { DatabaseFault } from "../../src/db/fault.ts";
import { readFault } from "../../src/db/read-fault.ts";

const thrown = (message: string, fields: Partial<NeonDbError> = {}) =>
  Object.assign(new NeonDbError(message), fields);
const server = (status: number, body: string) => thrown(`Server error (HTTP status ${status}): ${body}`);
const json = (message: string, code = "") => JSON.stringify({ message, code, detail: null, severity: "" });

// Whether it may be sent again, and whether it may have been committed.
const NEVER = { retryable: false, outcomeUnknown: false };
const ROLLED_BACK = { retryable: true, outcomeUnknown: false };
const UNKNOWN = { retryable: true, outcomeUnknown: true };

test.each([
  ["08000", "database_unreachable", false, UNKNOWN],
  ["08006", "database_unreachable", false, UNKNOWN],
  ["08P01", "internal", false, NEVER],
  ["22012", "internal", true, NEVER],
  ["23505", "internal", true, NEVER],
  ["25006", "database_unreachable", true, ROLLED_BACK],
  ["28000", "permission_denied", false, NEVER],
  ["28P01", "permission_denied", false, NEVER],
  ["3D000", "database_unreachable", false, NEVER],
  ["3F000", "schema_missing", true, NEVER],
  ["40001", "overloaded", true, ROLLED_BACK],
  ["40003", "database_unreachable", true, UNKNOWN],
  ["40P01", "overloaded", true, ROLLED_BACK],
  ["42501", "permission_denied", true, NEVER],
  ["42601", "internal", true, NEVER],
  ["42703", "schema_missing", true, NEVER],
  ["42883", "schema_missing", true, NEVER],
  ["42P01", "schema_missing", true, NEVER],
  ["53100", "overloaded", true, NEVER],
  ["53200", "overloaded", true, ROLLED_BACK],
  ["53300", "overloaded", true, ROLLED_BACK],
  ["55P03", "overloaded", true, ROLLED_BACK],
  ["57014", "timeout", true, NEVER],
  ["57P01", "database_unreachable", false, UNKNOWN],
  ["57P02", "database_unreachable", false, UNKNOWN],
  ["57P03", "database_unreachable", false, ROLLED_BACK],
  ["57P04", "database_unreachable", false, NEVER],
  ["58030", "internal", true, NEVER],
  ["XX000", "internal", true, NEVER],
] as const)("SQLSTATE %s is %s, answered %s, %o", (code, kind, answered, then) => {
  const error = new DrizzleQueryError("select $1", ["a-parameter"], thrown("a message", { code }));
  expect(readFault(error, false)).toEqual({ kind, sqlstate: code, httpStatus: 400, answered, ...then });
});

test.each([
  [
    "a wrong password",
    thrown("password authentication failed for user 'mcp'", { code: "" }),
    "permission_denied",
    NEVER,
  ],
  [
    "an address that is not allowed",
    thrown("This IP address 1.2.3.4 is not allowed to connect to this endpoint."),
    "permission_denied",
    NEVER,
  ],
  [
    "a disabled endpoint",
    thrown("Control plane request failed: endpoint is disabled", { code: "" }),
    "database_unreachable",
    NEVER,
  ],
  [
    "an endpoint that is not there",
    thrown("Control plane request failed: endpoint cannot be found", { code: "" }),
    "database_unreachable",
    NEVER,
  ],
  [
    "a disabled endpoint, as a 500",
    server(500, json("Control plane request failed: endpoint is disabled")),
    "database_unreachable",
    NEVER,
  ],
  [
    "a connection lost mid-query",
    thrown("error communicating with the server: connection closed", { code: "" }),
    "database_unreachable",
    UNKNOWN,
  ],
  ["a connection closed", thrown("connection closed", { code: "" }), "database_unreachable", UNKNOWN],
  [
    "a body Neon could not parse",
    thrown("could not parse the HTTP request body: x", { code: "" }),
    "internal",
    NEVER,
  ],
  [
    "the quota, as production says it",
    server(402, json("Your account or project has exceeded the compute time quota.")),
    "quota_exceeded",
    NEVER,
  ],
  [
    "the quota, as the source says it",
    server(500, json("project has exceeded the data transfer quota")),
    "quota_exceeded",
    NEVER,
  ],
  ["a rate limit", server(500, json("Too many connections attempts")), "overloaded", ROLLED_BACK],
  [
    "a busy endpoint",
    server(500, json("Too many connections to this endpoint. Please try again later.")),
    "overloaded",
    ROLLED_BACK,
  ],
  [
    "a connect lock",
    server(
      500,
      json(
        "Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing.",
      ),
    ),
    "overloaded",
    ROLLED_BACK,
  ],
  [
    "too many clients",
    server(500, json("sorry, too many clients already", "53300")),
    "overloaded",
    ROLLED_BACK,
  ],
  [
    "a compute that starts",
    server(500, json("the database system is starting up", "57P03")),
    "database_unreachable",
    ROLLED_BACK,
  ],
  [
    "a connection refused for a shutdown",
    server(500, json("terminating connection", "57P01")),
    "database_unreachable",
    ROLLED_BACK,
  ],
  [
    "a control plane that fails",
    server(500, json("Control plane request failed")),
    "database_unreachable",
    ROLLED_BACK,
  ],
  ["an edge that fails", server(520, "error code: 520"), "database_unreachable", UNKNOWN],
  ["an edge without DNS", server(530, "error code: 1016"), "database_unreachable", UNKNOWN],
  ["a gateway that timed out", server(504, "<html>"), "database_unreachable", UNKNOWN],
  [
    "a request that is too large",
    server(413, json("request is too large (max is 10485760 bytes)")),
    "internal",
    NEVER,
  ],
  [
    "a response that is too large",
    server(507, json("response is too large (max is 10485760 bytes)")),
    "internal",
    NEVER,
  ],
  [
    "a fetch that threw",
    thrown("Error connecting to database: x", { sourceError: new Error("x") }),
    "database_unreachable",
    UNKNOWN,
  ],
  ["a page in place of JSON", new SyntaxError("Unexpected token '<'"), "database_unreachable", UNKNOWN],
  ["a body that broke off", new Error("Network connection lost."), "database_unreachable", UNKNOWN],
  ["a mistake of ours", new TypeError("x is not a function"), "internal", NEVER],
  ["a thing that is no error", "what", "internal", NEVER],
] as const)("%s", (_, error, kind, then) => {
  expect(readFault(error, false)).toMatchObject({ kind, answered: false, ...then });
});

test("a deadline that has passed is a timeout of unknown outcome, whatever was thrown", () => {
  for (const error of [new TypeError("aborted"), new DOMException("x", "TimeoutError")]) {
    expect(readFault(error, true)).toEqual({ kind: "timeout", answered: false, ...UNKNOWN });
  }
});

test("a fault holds nothing of what was thrown", () => {
  const secret = "postgresql://mcp:hunter2@ep-1.neon.tech/db session-1";
  const error = new DrizzleQueryError(
    "select $1",
    [secret],
    thrown(secret, { code: "42P01", detail: secret }),
  );
  const fault = new DatabaseFault("session census", readFault(error, false));
  expect(fault.message).toBe("session census failed: schema_missing (SQLSTATE 42P01)");
  expect(JSON.stringify([fault, fault.stack, fault.cause])).not.toMatch(/hunter2|session-1/);
});
