// A failed database operation, as the rest of the Worker knows it. Pure.

export const faultKinds = [
  "database_unreachable",
  "timeout",
  "permission_denied",
  "schema_missing",
  "quota_exceeded",
  "overloaded",
  "internal",
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  kind: FaultKind;
  /** PostgreSQL's code, where it gave one. */
  sqlstate?: string;
  /** The status of Neon's answer, where there was one. */
  httpStatus?: number;
  /** Whether the same may succeed a little later. */
  retryable: boolean;
  /** Whether the statement may have been committed all the same. */
  outcomeUnknown: boolean;
  /** Whether PostgreSQL itself answered the statement, so that the way to it is known to work. */
  answered: boolean;
}

// The others are answers of the database, or mistakes: waiting does not help.
const outages: readonly FaultKind[] = ["database_unreachable", "timeout", "overloaded", "quota_exceeded"];

/** Whether a failure says that the database cannot be asked at the moment. */
export function isOutage(kind: FaultKind): boolean {
  return outages.includes(kind);
}

/** A failed database operation. Safe to log and to rethrow: it carries no message, cause or parameter. */
export class DatabaseFault extends Error {
  override name = "DatabaseFault";
  readonly fault: Fault;
  /** How often the statement was sent; 0 when the circuit breaker did not let it out. */
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
