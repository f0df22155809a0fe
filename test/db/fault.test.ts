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
const NEVER_UNKNOWN = { retryable: false, outcomeUnknown: true };
const ROLLED_BACK = { retryable: true, outcomeUnknown: false };
const UNKNOWN = { retryable: true, outcomeUnknown: true };

test.each([
  ["08000", "database_unreachable", false, UNKNOWN],
  ["08006", "database_unreachable", false, UNKNOWN],
  ["08P01", "internal", false, NEVER],
  ["0B000", "internal", true, NEVER],
  ["0A000", "write_rejected", true, NEVER],
  ["09000", "write_rejected", true, NEVER],
  ["21000", "write_rejected", true, NEVER],
  ["22012", "write_rejected", true, NEVER],
  ["22021", "internal", true, NEVER],
  ["22P05", "internal", true, NEVER],
  ["23502", "write_rejected", true, NEVER],
  ["23505", "write_rejected", true, NEVER],
  ["25006", "read_only", true, NEVER],
  ["25P02", "internal", true, NEVER],
  ["26000", "internal", true, NEVER],
  ["27000", "write_rejected", true, NEVER],
  ["28000", "permission_denied", false, NEVER],
  ["28P01", "permission_denied", false, NEVER],
  ["2D000", "internal", true, NEVER],
  ["2F005", "write_rejected", true, NEVER],
  ["34000", "internal", true, NEVER],
  ["38000", "write_rejected", true, NEVER],
  ["39000", "write_rejected", true, NEVER],
  ["3B001", "internal", true, NEVER],
  ["3D000", "database_unreachable", false, NEVER],
  ["3F000", "schema_missing", true, NEVER],
  ["40001", "overloaded", true, ROLLED_BACK],
  ["40002", "write_rejected", true, NEVER],
  ["40003", "database_unreachable", true, UNKNOWN],
  ["40P01", "overloaded", true, ROLLED_BACK],
  ["42501", "permission_denied", true, NEVER],
  ["42601", "internal", true, NEVER],
  ["42702", "write_rejected", true, NEVER],
  ["42703", "schema_missing", true, NEVER],
  ["42725", "write_rejected", true, NEVER],
  ["42804", "write_rejected", true, NEVER],
  ["42809", "write_rejected", true, NEVER],
  ["42846", "write_rejected", true, NEVER],
  ["42883", "schema_missing", true, NEVER],
  ["428C9", "write_rejected", true, NEVER],
  ["42P01", "schema_missing", true, NEVER],
  ["42P10", "write_rejected", true, NEVER],
  ["42P17", "write_rejected", true, NEVER],
  ["44000", "write_rejected", true, NEVER],
  ["53100", "overloaded", true, NEVER],
  ["53200", "overloaded", true, ROLLED_BACK],
  ["53300", "overloaded", true, ROLLED_BACK],
  ["54000", "write_rejected", true, NEVER],
  ["55000", "write_rejected", true, NEVER],
  ["55006", "internal", true, NEVER],
  ["55P03", "overloaded", true, ROLLED_BACK],
  ["57014", "timeout", true, NEVER],
  ["57P01", "database_unreachable", false, UNKNOWN],
  ["57P02", "database_unreachable", false, UNKNOWN],
  ["57P03", "database_unreachable", false, ROLLED_BACK],
  ["57P04", "database_unreachable", false, NEVER],
  ["58030", "internal", true, NEVER],
  ["F0000", "internal", true, NEVER],
  ["HV000", "write_rejected", true, NEVER],
  ["P0001", "write_rejected", true, NEVER],
  ["XX000", "internal", true, NEVER],
  // No code of PostgreSQL's: RAISE takes any.
  ["MY001", "write_rejected", true, NEVER],
  ["PT404", "write_rejected", true, NEVER],
] as const)("SQLSTATE %s is %s, answered %s, %o", (code, kind, answered, then) => {
  const error = new DrizzleQueryError("select $1", ["a-parameter"], thrown("a message", { code }));
  expect(readFault(error, false)).toEqual({ kind, sqlstate: code, httpStatus: 400, answered, ...then });
});

test.each([
  ["08P01", "query_wait_timeout", "overloaded", ROLLED_BACK],
  ["08P01", "no more connections allowed (max_client_conn)", "overloaded", ROLLED_BACK],
  ["08P01", "client connections exceeded (max_user_client_connections)", "overloaded", ROLLED_BACK],
  [
    "08P01",
    "server login has been failing, cached error: x (server_login_retry)",
    "database_unreachable",
    ROLLED_BACK,
  ],
  ["08P01", "client_login_timeout (server down)", "database_unreachable", ROLLED_BACK],
  ["08P01", "pooler is shutting down", "database_unreachable", ROLLED_BACK],
  ["08P01", "server conn crashed?", "database_unreachable", UNKNOWN],
  ["08P01", "query_timeout", "database_unreachable", UNKNOWN],
  ["08P01", "Query cancelled, connection was terminated", "database_unreachable", UNKNOWN],
  ["08P01", "bind message supplies 1 parameters", "internal", NEVER],
  [
    "53100",
    "could not extend file because project size limit (512 MB) has been exceeded",
    "quota_exceeded",
    NEVER,
  ],
  ["53100", 'could not write to file "pgsql_tmp1": No space left on device', "overloaded", NEVER],
  [
    "08001",
    "[NEON_SMGR] [shard 0] could not establish connection to pageserver",
    "database_unreachable",
    ROLLED_BACK,
  ],
  [
    "58030",
    "[NEON_SMGR] [shard 0] could not read block 0 in rel 1/2/3.0 from page server at lsn 0/1",
    "database_unreachable",
    ROLLED_BACK,
  ],
  [
    "XX000",
    "[NEON_SMGR] [shard 0] could not send pagestream command to pageserver",
    "database_unreachable",
    ROLLED_BACK,
  ],
] as const)("SQLSTATE %s with %j is %s", (code, message, kind, then) => {
  const error = new DrizzleQueryError("select $1", ["a-parameter"], thrown(message, { code }));
  expect(readFault(error, false)).toMatchObject({ kind, sqlstate: code, ...then });
});

// A connection that PostgreSQL refuses is not 400, and the driver leaves the SQLSTATE in the text.
test.each([
  ["53300", "sorry, too many clients already", "overloaded", ROLLED_BACK],
  [
    "53300",
    "remaining connection slots are reserved for roles with the SUPERUSER attribute",
    "overloaded",
    ROLLED_BACK,
  ],
  ["57P03", "the database system is starting up", "database_unreachable", ROLLED_BACK],
  ["57P01", "terminating connection", "database_unreachable", ROLLED_BACK],
  ["28000", 'role "mcp" is not permitted to log in', "permission_denied", NEVER],
  ["28P01", 'password authentication failed for user "mcp"', "permission_denied", NEVER],
  ["42501", 'permission denied for database "mcp"', "permission_denied", NEVER],
  ["08P01", "no more connections allowed (max_client_conn)", "overloaded", ROLLED_BACK],
  ["08P01", "unsupported startup parameter: x", "internal", NEVER],
] as const)("a connection refused with %s, %j, is %s", (code, message, kind, then) => {
  expect(readFault(server(500, json(message, code)), false)).toEqual({
    kind,
    sqlstate: code,
    httpStatus: 500,
    answered: false,
    ...then,
  });
});

const MAINTENANCE =
  "Control plane request failed: endpoint is temporarily unavailable. Check your quotas and/or contact our support.";
const UNKNOWN_IP =
  "This IP address 1.2.3.4 is not allowed to connect to this endpoint. Please add it to the allowed list in the Neon console.";

// The proxy's own words. The driver takes the message out of a 400, and leaves any other answer in the text.
test.each([
  // The compute
  [500, "Couldn't connect to compute node", "database_unreachable", ROLLED_BACK],
  [500, "connection closed", "database_unreachable", ROLLED_BACK],
  [500, "error communicating with the server: Connection reset by peer", "database_unreachable", ROLLED_BACK],
  [500, "timeout waiting for server", "database_unreachable", ROLLED_BACK],
  [500, "pooled connection closed at inconsistent state", "database_unreachable", ROLLED_BACK],
  [400, "connection closed", "database_unreachable", UNKNOWN],
  [400, "error communicating with the server: connection closed", "database_unreachable", UNKNOWN],
  [400, "timeout waiting for server", "database_unreachable", UNKNOWN],
  // The control plane
  [500, "Control plane request failed", "database_unreachable", ROLLED_BACK],
  [500, MAINTENANCE, "database_unreachable", ROLLED_BACK],
  [500, "endpoint is in transition", "database_unreachable", ROLLED_BACK],
  [400, "Control plane request failed: endpoint is disabled", "database_unreachable", NEVER],
  [500, "Control plane request failed: endpoint is disabled", "database_unreachable", NEVER],
  [400, "The endpoint has been disabled. Enable it using Neon API and retry.", "database_unreachable", NEVER],
  [400, "Control plane request failed: endpoint cannot be found", "database_unreachable", NEVER],
  [
    400,
    "The requested endpoint could not be found, or you don't have access to it.",
    "database_unreachable",
    NEVER,
  ],
  // Quotas
  [402, "Your account or project has exceeded the compute time quota.", "quota_exceeded", NEVER],
  [402, "<html>", "quota_exceeded", NEVER],
  [500, "Your project has exceeded the data transfer quota.", "quota_exceeded", NEVER],
  [402, "You have exceeded the limit of concurrently active endpoints.", "quota_exceeded", NEVER],
  [500, "You have exceeded the limit of concurrently active endpoints.", "quota_exceeded", NEVER],
  [500, "active endpoints limit exceeded", "quota_exceeded", NEVER],
  // Rates
  [500, "Too many connections attempts", "overloaded", ROLLED_BACK],
  [500, "Too many connections to this endpoint. Please try again later.", "overloaded", ROLLED_BACK],
  [
    500,
    "Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing.",
    "overloaded",
    ROLLED_BACK,
  ],
  [429, "slow down", "overloaded", ROLLED_BACK],
  // Who may come in
  [400, "password authentication failed for user 'mcp'", "permission_denied", NEVER],
  [400, UNKNOWN_IP, "permission_denied", NEVER],
  [500, UNKNOWN_IP, "permission_denied", NEVER],
  [
    400,
    "This connection is trying to access this endpoint from a blocked network.",
    "permission_denied",
    NEVER,
  ],
  [400, "VPC endpoint ID is not specified.", "permission_denied", NEVER],
  [400, "missing authentication credentials: required password", "permission_denied", NEVER],
  [401, "no", "permission_denied", NEVER],
  [403, "error code: 1006", "permission_denied", NEVER],
  [403, "Host not in allowlist", "permission_denied", NEVER],
  // The address
  [400, "missing hostname", "database_unreachable", NEVER],
  [400, "invalid header: neon-connection-string", "database_unreachable", NEVER],
  [400, "Endpoint ID is not specified.", "database_unreachable", NEVER],
  [404, "Not Found", "database_unreachable", NEVER],
  // Requests and results
  [413, "<html>", "internal", NEVER],
  [413, "request is too large (max is 10485760 bytes)", "internal", NEVER],
  [400, "could not parse the HTTP request body: x", "internal", NEVER],
  [400, "error encoding message to server: string contains embedded null", "internal", NEVER],
  [400, "invalid isolation level", "internal", NEVER],
  [400, "could not read the HTTP request body: x", "database_unreachable", ROLLED_BACK],
  [507, "response is too large (max is 10485760 bytes)", "internal", NEVER_UNKNOWN],
  [500, "could not parse postgres response", "internal", NEVER_UNKNOWN],
  [400, "unexpected message from server", "internal", NEVER_UNKNOWN],
  // Cloudflare's edge, and what else may stand between
  [500, "<html>", "database_unreachable", UNKNOWN],
  [503, "Shutting down", "database_unreachable", UNKNOWN],
  [504, "<html>", "database_unreachable", UNKNOWN],
  [520, "error code: 520", "database_unreachable", UNKNOWN],
  [530, "error code: 1016", "database_unreachable", UNKNOWN],
] as const)("HTTP %i with %j is %s, %o", (httpStatus, message, kind, then) => {
  const error = httpStatus === 400 ? thrown(message, { code: "" }) : server(httpStatus, json(message));
  expect(readFault(error, false)).toEqual({ kind, httpStatus, answered: false, ...then });
});

test.each([
  [
    "a fetch that threw",
    thrown("Error connecting to database: x", { sourceError: new Error("x") }),
    "database_unreachable",
    UNKNOWN,
  ],
  [
    "a fetch that threw, whatever it says",
    thrown("Error connecting to database: too many redirects", { sourceError: new Error("x") }),
    "database_unreachable",
    UNKNOWN,
  ],
  [
    "a text that is only like the driver's",
    thrown("Oh: Server error (HTTP status 402): x"),
    "database_unreachable",
    UNKNOWN,
  ],
  ["a page in place of JSON", new SyntaxError("Unexpected token '<'"), "database_unreachable", UNKNOWN],
  ["a body that broke off", new Error("Network connection lost."), "database_unreachable", UNKNOWN],
  ["a body that broke off in Node", new TypeError("terminated"), "database_unreachable", UNKNOWN],
  ["a mistake of ours that ends like it", new TypeError("it was terminated"), "internal", NEVER],
  ["a mistake of ours that begins like it", new TypeError("terminated it"), "internal", NEVER],
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
