// What another Worker gets of a call. An error loses its class and its code between Workers, so none is thrown. Pure.
import { DatabaseFault, type FaultKind } from "../db/fault.ts";
import { AppError, type ErrorCode, refusalOfFault } from "../http/errors.ts";
import { StateError, type StateErrorCode } from "../mcp/context.ts";

export type Answer<T> = { ok: true; value: T } | Refusal;

export interface Refusal {
  ok: false;
  code: ErrorCode | StateErrorCode;
  /** What must change. It has nothing of what was sent. */
  message: string;
  /** When it is worth another try; null when waiting does not help. */
  retryAfterSeconds: number | null;
  /** When the database has failed: why. */
  fault: { kind: FaultKind; sqlstate: string | null } | null;
}

export const refusal = (code: Refusal["code"], message: string): Refusal => ({
  ok: false,
  code,
  message,
  retryAfterSeconds: null,
  fault: null,
});

/** Undefined for a mistake of ours. */
export function refusalOfError(error: unknown): Refusal | undefined {
  if (error instanceof StateError) return refusal(error.code, error.message);
  const known = error instanceof DatabaseFault ? refusalOfFault(error, true) : error;
  if (!(known instanceof AppError)) return undefined;
  const after = known.headers["Retry-After"];
  return {
    ...refusal(known.code, known.message),
    retryAfterSeconds: after === undefined ? null : Number(after),
    fault: known.fault ?? null,
  };
}
