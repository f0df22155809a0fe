// Reads what went wrong with the database from whatever was thrown, and takes nothing of its message: Drizzle puts the
// parameters there, and the Neon driver can put the password there.
import { NeonDbError } from "@neondatabase/serverless";
import { proxyRules, sqlstateRules, statusRules, unknownSqlstate } from "./fault-rules.ts";
import type { Fault } from "./fault.ts";

// Anything that no rule knows: "connection closed", "error code: 520", a page of HTML.
const lost = { kind: "database_unreachable", retryable: true, outcomeUnknown: true } as const;

// These classes are about the connection, not about the statement.
const connectionClasses = ["08", "28", "3D", "57"];

/** What an error of PostgreSQL means. @param httpStatus of Neon's answer: 400 for an error of a statement */
export function faultOfSqlstate(sqlstate: string, text: string, httpStatus: number): Fault {
  const rules = sqlstateRules[sqlstate] ?? sqlstateRules[sqlstate.slice(0, 2)] ?? [];
  const { kind, retryable, outcomeUnknown } =
    rules.find((rule) => rule.text?.test(text) ?? true) ?? unknownSqlstate;
  // An error of a statement comes as 400. With another status PostgreSQL has refused the connection.
  if (httpStatus !== 400) {
    return { kind, retryable, outcomeUnknown: false, sqlstate, httpStatus, answered: false };
  }
  const answered = sqlstate === "57014" || !connectionClasses.includes(sqlstate.slice(0, 2));
  return { kind, retryable, outcomeUnknown, sqlstate, httpStatus, answered };
}

function faultOfText(text: string, httpStatus: number): Fault {
  const { kind, retryable, outcomeUnknown } =
    statusRules[httpStatus] ??
    proxyRules.find((rule) => (rule.status ?? httpStatus) === httpStatus && rule.text.test(text)) ??
    lost;
  return { kind, retryable, outcomeUnknown, httpStatus, answered: false };
}

const SERVER_ERROR = /^Server error \(HTTP status (\d{3})\): (.*)$/s;

/** What a thrown error means. `timedOut`: the deadline of the attempt has passed. */
export function readFault(thrown: unknown, timedOut: boolean): Fault {
  // A statement may come to its end after its client has left: the proxy's cancellation can miss it.
  if (timedOut) return { kind: "timeout", retryable: true, outcomeUnknown: true, answered: false };
  const error = rootOf(thrown);
  if (!(error instanceof NeonDbError)) {
    // Not an error of the driver: the body broke off, or is not JSON.
    const isNetwork =
      error instanceof SyntaxError ||
      (error instanceof Error && /network|connection|^terminated$/i.test(error.message));
    if (isNetwork) return { ...lost, answered: false };
    return { kind: "internal", retryable: false, outcomeUnknown: false, answered: false };
  }
  if (error.code) return faultOfSqlstate(error.code, error.message, 400);
  if (error.sourceError !== undefined) return { ...lost, answered: false };
  const found = SERVER_ERROR.exec(error.message);
  if (found === null) return faultOfText(error.message, 400);
  const [, status = "", body = ""] = found;
  const sqlstate = /"code":"([0-9A-Z]{5})"/.exec(body)?.[1];
  return sqlstate === undefined
    ? faultOfText(body, Number(status))
    : faultOfSqlstate(sqlstate, body, Number(status));
}

/** Drizzle wraps what the driver throws, except in a batch. */
function rootOf(thrown: unknown): unknown {
  let root = thrown;
  while (!(root instanceof NeonDbError) && root instanceof Error && root.cause !== undefined)
    root = root.cause;
  return root;
}
