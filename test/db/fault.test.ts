// Whatever the driver can throw, and what is left of it. The endpoint's tests produce most of these for real; here
// are the texts that only Neon's own proxy writes.
import { NeonDbError } from "@neondatabase/serverless";
import { DrizzleQueryError } from "drizzle-orm";
import { expect, test } from "vitest";
import { DatabaseFault, faultOf } from "../../src/db/fault.ts";

const thrown = (message: string, fields: Partial<NeonDbError> = {}) =>
  Object.assign(new NeonDbError(message), fields);
const server = (status: number, body: string) => thrown(`Server error (HTTP status ${status}): ${body}`);
const json = (message: string, code = "") => JSON.stringify({ message, code, detail: null, severity: "" });

test.each([
  ["28P01", "permission_denied", false],
  ["28000", "permission_denied", false],
  ["42501", "permission_denied", true],
  ["3D000", "database_unreachable", false],
  ["3F000", "schema_missing", true],
  ["42P01", "schema_missing", true],
  ["42703", "schema_missing", true],
  ["42883", "schema_missing", true],
  ["53100", "overloaded", true],
  ["55P03", "overloaded", true],
  ["57014", "timeout", true],
  ["57P01", "database_unreachable", false],
  ["57P03", "database_unreachable", false],
  ["08006", "database_unreachable", false],
  ["22012", "internal", true],
  ["XX000", "internal", true],
] as const)("SQLSTATE %s is %s, answered %s", (code, kind, answered) => {
  const error = new DrizzleQueryError("select $1", ["a-parameter"], thrown("a message", { code }));
  expect(faultOf(error, false)).toEqual({ kind, sqlstate: code, answered });
});

test.each([
  [
    "a password that is wrong",
    thrown("password authentication failed for user 'mcp'", { code: "" }),
    "permission_denied",
  ],
  [
    "an address that is not allowed",
    thrown("This IP address 1.2.3.4 is not allowed to connect to this endpoint."),
    "permission_denied",
  ],
  [
    "an endpoint that is disabled",
    thrown("Control plane request failed: endpoint is disabled", { code: "" }),
    "database_unreachable",
  ],
  [
    "a connection lost",
    thrown("error communicating with the server: connection closed", { code: "" }),
    "database_unreachable",
  ],
  [
    "the quota, as production says it",
    server(402, json("Your account or project has exceeded the compute time quota.")),
    "quota_exceeded",
  ],
  [
    "the quota, as the source says it",
    server(500, json("project has exceeded the data transfer quota")),
    "quota_exceeded",
  ],
  ["a rate limit", server(500, json("Too many connections attempts")), "overloaded"],
  ["a connect lock", server(500, json("Failed to acquire permit to connect to the database.")), "overloaded"],
  ["too many clients", server(500, json("sorry, too many clients already", "53300")), "overloaded"],
  [
    "a compute that starts",
    server(500, json("the database system is starting up", "57P03")),
    "database_unreachable",
  ],
  ["a control plane that fails", server(500, json("Control plane request failed")), "database_unreachable"],
  ["an edge that fails", server(525, "error code: 525"), "database_unreachable"],
  [
    "a request that is too large",
    server(413, json("request is too large (max is 10485760 bytes)")),
    "internal",
  ],
  [
    "a response that is too large",
    server(507, json("response is too large (max is 10485760 bytes)")),
    "internal",
  ],
  [
    "a fetch that threw",
    thrown("Error connecting to database: x", { sourceError: new Error("x") }),
    "database_unreachable",
  ],
  ["a page in place of JSON", new SyntaxError("Unexpected token '<'"), "database_unreachable"],
  ["a body that broke off", new Error("Network connection lost."), "database_unreachable"],
  ["a mistake of ours", new TypeError("x is not a function"), "internal"],
  ["a thing that is no error", "what", "internal"],
] as const)("%s", (_, error, kind) => {
  expect(faultOf(error, false).kind).toBe(kind);
});

test("a deadline that has passed is a timeout, whatever was thrown", () => {
  expect(faultOf(new TypeError("aborted"), true)).toEqual({ kind: "timeout" });
});

test("a fault holds nothing of what was thrown", () => {
  const secret = "postgresql://mcp:hunter2@ep-1.neon.tech/db session-1";
  const error = new DrizzleQueryError(
    "select $1",
    [secret],
    thrown(secret, { code: "42P01", detail: secret }),
  );
  const fault = new DatabaseFault("session census", faultOf(error, false));
  expect(fault.message).toBe("session census failed: schema_missing (SQLSTATE 42P01)");
  expect(JSON.stringify([fault, fault.stack, fault.cause])).not.toMatch(/hunter2|session-1/);
});
