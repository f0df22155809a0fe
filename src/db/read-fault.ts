// Reads what went wrong with the database from whatever was thrown, and takes nothing of its message: Drizzle puts the
// parameters there, and the Neon driver can put the password there.
import { NeonDbError } from "@neondatabase/serverless";
import type { Fault, FaultKind } from "./fault.ts";

// Whether to repeat the statement. `rolledBack`: it has left nothing behind. `unknown`: it may have been committed.
const never = { retryable: false, outcomeUnknown: false } as const;
const rolledBack = { retryable: true, outcomeUnknown: false } as const;
const unknown = { retryable: true, outcomeUnknown: true } as const;

interface Rule {
  kind: FaultKind;
  retryable: boolean;
  outcomeUnknown: boolean;
}

// PostgreSQL, appendix A. Two characters stand for a whole class; a full code overrides its class.
const bySqlstate: Record<string, Rule> = {
  "08": { kind: "database_unreachable", ...unknown },
  "08P01": { kind: "internal", ...never }, // protocol_violation
  "25006": { kind: "database_unreachable", ...rolledBack }, // read_only_sql_transaction: a failover
  "28": { kind: "permission_denied", ...never },
  "3D": { kind: "database_unreachable", ...never },
  "3F": { kind: "schema_missing", ...never },
  "40001": { kind: "overloaded", ...rolledBack }, // serialization_failure
  "40003": { kind: "database_unreachable", ...unknown }, // statement_completion_unknown
  "40P01": { kind: "overloaded", ...rolledBack }, // deadlock_detected
  "42501": { kind: "permission_denied", ...never },
  "42703": { kind: "schema_missing", ...never }, // undefined_column
  "42883": { kind: "schema_missing", ...never }, // undefined_function, a procedure too
  "42P01": { kind: "schema_missing", ...never }, // undefined_table
  "53": { kind: "overloaded", ...rolledBack },
  "53100": { kind: "overloaded", ...never }, // disk_full
  "55P03": { kind: "overloaded", ...rolledBack }, // lock_not_available
  "57": { kind: "database_unreachable", ...unknown }, // the server stops, crashes or drops the connection
  "57014": { kind: "timeout", ...never }, // query_canceled: the same would take as long again
  "57P03": { kind: "database_unreachable", ...rolledBack }, // cannot_connect_now: it is starting
  "57P04": { kind: "database_unreachable", ...never }, // database_dropped
};

// These classes are about the connection, not about the statement.
const connectionClasses = ["08", "28", "3D", "57"];

function faultOfSqlstate(sqlstate: string, httpStatus: number): Fault {
  const rule = bySqlstate[sqlstate] ?? bySqlstate[sqlstate.slice(0, 2)] ?? { kind: "internal", ...never };
  // An error of a statement comes as 400. With another status PostgreSQL has refused the connection.
  if (httpStatus !== 400) return { ...rule, outcomeUnknown: false, sqlstate, httpStatus, answered: false };
  const answered = sqlstate === "57014" || !connectionClasses.includes(sqlstate.slice(0, 2));
  return { ...rule, sqlstate, httpStatus, answered };
}

// Errors of the Neon proxy, which have no SQLSTATE (neon, proxy/src/serverless). The first match counts.
const byProxyText: readonly (Rule & { text: RegExp })[] = [
  {
    text: /password authentication failed|not allowed to connect|required password/i,
    kind: "permission_denied",
    ...never,
  },
  { text: /quota/i, kind: "quota_exceeded", ...never },
  { text: /too many|failed to acquire permit/i, kind: "overloaded", ...rolledBack },
  {
    text: /endpoint is disabled|cannot be found|missing hostname|invalid header/i,
    kind: "database_unreachable",
    ...never,
  },
  { text: /control plane request failed/i, kind: "database_unreachable", ...rolledBack },
  {
    text: /(request|response) is too large|could not parse|invalid isolation level/i,
    kind: "internal",
    ...never,
  },
];

// Anything else: "error communicating with the server", "connection closed", "error code: 520", a page of HTML.
const lost = { kind: "database_unreachable", ...unknown } as const;

function faultOfText(text: string, httpStatus: number): Fault {
  const { kind, retryable, outcomeUnknown } = byProxyText.find((entry) => entry.text.test(text)) ?? lost;
  return { kind, retryable, outcomeUnknown, httpStatus, answered: false };
}

const SERVER_ERROR = /^Server error \(HTTP status (\d{3})\): (.*)$/s;

/** What a thrown error means. `timedOut`: the deadline of the attempt has passed. */
export function readFault(thrown: unknown, timedOut: boolean): Fault {
  if (timedOut) return { kind: "timeout", ...unknown, answered: false };
  const error = rootOf(thrown);
  if (!(error instanceof NeonDbError)) {
    // Not an error of the driver: the body broke off, or is not JSON.
    const isNetwork =
      error instanceof SyntaxError || (error instanceof Error && /network|connection/i.test(error.message));
    if (isNetwork) return { ...lost, answered: false };
    return { kind: "internal", ...never, answered: false };
  }
  if (error.code) return faultOfSqlstate(error.code, 400);
  if (error.sourceError !== undefined) return { ...lost, answered: false };
  const [, status, body = ""] = SERVER_ERROR.exec(error.message) ?? [];
  if (status === undefined) return faultOfText(error.message, 400);
  if (status === "402") return { kind: "quota_exceeded", ...never, httpStatus: 402, answered: false };
  const sqlstate = /"code":"([0-9A-Z]{5})"/.exec(body)?.[1];
  return sqlstate === undefined
    ? faultOfText(body, Number(status))
    : faultOfSqlstate(sqlstate, Number(status));
}

/** Drizzle wraps what the driver throws, except in a batch. */
function rootOf(thrown: unknown): unknown {
  let root = thrown;
  while (!(root instanceof NeonDbError) && root instanceof Error && root.cause !== undefined)
    root = root.cause;
  return root;
}
