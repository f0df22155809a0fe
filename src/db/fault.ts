// What went wrong with the database, from whatever was thrown, without anything of its message: Drizzle puts the
// parameters there and the Neon driver can put the password.
import { NeonDbError } from "@neondatabase/serverless";

export type FaultKind =
  | "database_unreachable"
  | "timeout"
  | "permission_denied"
  | "schema_missing"
  | "quota_exceeded"
  | "overloaded"
  | "internal";

/** A failed database operation. Safe to log and to rethrow: it carries no message, cause or parameter. */
export class DatabaseFault extends Error {
  override name = "DatabaseFault";
  readonly kind: FaultKind;
  /** PostgreSQL's code, where it gave one. */
  readonly sqlstate: string | undefined;
  /** Whether PostgreSQL itself answered, so that the way to it is known to work. */
  readonly answered: boolean;

  constructor(
    operation: string,
    fault: { kind: FaultKind; sqlstate?: string | undefined; answered?: boolean },
  ) {
    const { kind, sqlstate, answered = sqlstate !== undefined } = fault;
    super(`${operation} failed: ${kind}${sqlstate === undefined ? "" : ` (SQLSTATE ${sqlstate})`}`);
    this.kind = kind;
    this.sqlstate = sqlstate;
    this.answered = answered;
  }
}

type Fault = ConstructorParameters<typeof DatabaseFault>[1];

// PostgreSQL appendix A. A whole class, unless one of its codes stands for itself.
const kindBySqlstate: Record<string, FaultKind> = {
  "08": "database_unreachable",
  "28": "permission_denied",
  "3D": "database_unreachable",
  "3F": "schema_missing",
  "53": "overloaded",
  "57": "database_unreachable",
  "42501": "permission_denied",
  "42703": "schema_missing", // undefined_column
  "42883": "schema_missing", // undefined_function, a procedure too
  "42P01": "schema_missing", // undefined_table
  "55P03": "overloaded", // lock_not_available
  "57014": "timeout", // query_canceled, by statement_timeout or for a client that went away
};

// These classes are about the way to the database, not an answer to the statement.
const connectionClasses = ["08", "28", "3D", "57"];

function faultOfSqlstate(sqlstate: string): Fault {
  const kind = kindBySqlstate[sqlstate] ?? kindBySqlstate[sqlstate.slice(0, 2)] ?? "internal";
  return {
    kind,
    sqlstate,
    answered: sqlstate === "57014" || !connectionClasses.includes(sqlstate.slice(0, 2)),
  };
}

// The Neon proxy answers 400 with an empty code for whatever is not PostgreSQL's own error (neon, proxy/src/serverless).
const proxyRefusals: readonly [RegExp, FaultKind][] = [
  [/password authentication failed|not allowed to connect|required password/i, "permission_denied"],
  [/quota/i, "quota_exceeded"],
  [/too many|failed to acquire permit/i, "overloaded"],
];

const faultOfProxyText = (text: string): Fault => ({
  kind: proxyRefusals.find(([pattern]) => pattern.test(text))?.[1] ?? "database_unreachable",
});

const SERVER_ERROR = /^Server error \(HTTP status (\d{3})\): (.*)$/s;

/** The kind of a thrown thing, for `DatabaseFault`. `timedOut` says that the operation's own deadline fired. */
export function faultOf(thrown: unknown, timedOut: boolean): Fault {
  if (timedOut) return { kind: "timeout" };
  const error = rootOf(thrown);
  if (!(error instanceof NeonDbError)) {
    // Not of the driver's making: a body that broke off, or one that is not JSON (an HTML page of a proxy).
    const isNetwork =
      error instanceof SyntaxError || (error instanceof Error && /network|connection/i.test(error.message));
    return { kind: isNetwork ? "database_unreachable" : "internal" };
  }
  if (error.code) return faultOfSqlstate(error.code);
  if (error.sourceError !== undefined) return { kind: "database_unreachable" };
  const [, status, body = ""] = SERVER_ERROR.exec(error.message) ?? [];
  if (status === undefined) return faultOfProxyText(error.message);
  if (status === "402") return { kind: "quota_exceeded" };
  if (status === "413" || status === "507") return { kind: "internal" };
  const sqlstate = /"code":"([0-9A-Z]{5})"/.exec(body)?.[1];
  // Only a statement's error comes as 400; here PostgreSQL has refused the connection.
  return sqlstate === undefined ? faultOfProxyText(body) : { ...faultOfSqlstate(sqlstate), answered: false };
}

/** Drizzle wraps what the driver throws, except in a batch. */
function rootOf(thrown: unknown): unknown {
  let root = thrown;
  while (!(root instanceof NeonDbError) && root instanceof Error && root.cause !== undefined)
    root = root.cause;
  return root;
}
