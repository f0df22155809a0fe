// A failed database operation, as the rest of the Worker knows it. Pure.

export const faultKinds = [
  "database_unreachable",
  "timeout",
  "permission_denied",
  "schema_missing",
  "quota_exceeded",
  "overloaded",
  "read_only",
  "write_rejected",
  "internal",
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  kind: FaultKind;
  /** The SQLSTATE, if PostgreSQL gave one. */
  sqlstate?: string;
  /** The HTTP status of Neon's answer, if there was one. */
  httpStatus?: number;
  /** Whether the same statement may succeed a little later. */
  retryable: boolean;
  /** Whether the statement may have been committed. */
  outcomeUnknown: boolean;
  /** Whether PostgreSQL itself has answered the statement, so the connection works. */
  answered: boolean;
}

/** A write that PostgreSQL has reported as done, and that a trigger, a rule or a policy has undone or changed. */
export const undoneWrite: Fault = {
  kind: "write_rejected",
  retryable: false,
  outcomeUnknown: false,
  answered: true,
};

// An outage that ends by itself within seconds or minutes. A client may wait for that.
const passing: readonly FaultKind[] = ["database_unreachable", "timeout", "overloaded"];
// A quota ends with the month, or when somebody pays: nothing that a client can wait for.
const outages: readonly FaultKind[] = [...passing, "quota_exceeded"];

/** Whether a failure means that the database cannot be asked at the moment. */
export function isOutage(kind: FaultKind): boolean {
  return outages.includes(kind);
}

/** Whether a client can expect an answer when it asks again a few seconds later. */
export function mayPass(kind: FaultKind): boolean {
  return passing.includes(kind);
}

/** Whether PostgreSQL has refused a value: a data exception (class 22), or beyond a limit of its own (class 54). */
export function isAboutValue({ sqlstate = "" }: DatabaseFault): boolean {
  return sqlstate.startsWith("22") || sqlstate.startsWith("54");
}

/** A failed database operation. Safe to log and to rethrow: it carries no message, cause or parameter. */
export class DatabaseFault extends Error {
  override name = "DatabaseFault";
  readonly fault: Fault;
  /** How often the statement was sent; 0 when the circuit breaker refused it. */
  readonly attempts: number;

  constructor(operation: string, fault: Fault, attempts = 1) {
    super(
      `${operation} failed: ${fault.kind}${fault.sqlstate === undefined ? "" : ` (SQLSTATE ${fault.sqlstate})`}`,
    );
    this.fault = fault;
    this.attempts = attempts;
  }

  get kind(): FaultKind {
    return this.fault.kind;
  }

  get sqlstate(): string | undefined {
    return this.fault.sqlstate;
  }
}
