// The only Neon client: one HTTP request for each statement, with a deadline, repeated where that is harmless.
import { ExponentialBackoff, handleWhen, type IBackoffFactory, retry } from "cockatiel";
import { logOf } from "../log.ts";
import { createBreaker } from "./breaker.ts";
import { DatabaseFault, type Fault, type FaultKind } from "./fault.ts";
import { readFault } from "./read-fault.ts";
import { type Address, type Statements, statementsOn } from "./statements.ts";

export interface Operation {
  /** The name in logs and faults. */
  name: string;
  /** The time for all attempts together. */
  budgetMs: number;
  /** Whether a statement that may have been committed can be sent again. Say why where it is set. */
  isIdempotent: boolean;
  /** The time for one attempt. A suspended compute must be able to wake in it. */
  attemptMs?: number;
  /** Is sent although the circuit is open: that is how the circuit closes again. */
  isProbe?: boolean;
}

export interface Database {
  /**
   * Runs `work` until it succeeds, cannot succeed, or its budget is used up.
   * @param work gets the number of the attempt, from 0. It may throw a DatabaseFault by itself.
   * @throws DatabaseFault for every failure.
   */
  run<T>(operation: Operation, work: (db: Statements, attempt: number) => Promise<T>): Promise<T>;
}

const log = logOf("database", {
  info: {
    "Database circuit closed": {
      meaning: "The database answers again, and the isolate sends every statement to it.",
      fields: [],
    },
  },
  warning: {
    "Database operation retried": {
      meaning: "A statement was sent more than once. `outcome` says how it ended, `kind` why it failed.",
      fields: ["operation", "kind", "attempts", "duration_ms", "outcome"],
    },
  },
  error: {
    "Database circuit opened": {
      meaning:
        "Five failures in a row: the isolate refuses requests at once, and sends a probe every two seconds.",
      fields: ["kind"],
    },
  },
});

// Neon's computes wake within a few seconds, at most five.
const ATTEMPT_MS = 6000;
const MAX_RETRIES = 6;
// With decorrelated jitter, so that isolates do not all come back at the same time.
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2000;
// With less time than this an attempt cannot succeed.
const LEAST_ATTEMPT_MS = 100;

/** Connects nothing: Neon over HTTP has no connection to keep. Each database has one circuit breaker. */
export function connect(address: Address): Database {
  const breaker = createBreaker(() => Date.now());

  async function attempt<T>(
    name: string,
    timeoutMs: number,
    count: number,
    work: (db: Statements, attempt: number) => Promise<T>,
  ): Promise<T> {
    // A new client for each attempt: the driver takes an abort signal for a client, not for a statement.
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const result = await work(statementsOn(address, signal), count);
      recordAttempt(undefined);
      return result;
    } catch (thrown) {
      // What `work` reads from an answer can be a fault, too.
      const fault =
        thrown instanceof DatabaseFault
          ? thrown
          : new DatabaseFault(name, readFault(thrown, signal.aborted), count + 1);
      recordAttempt(fault);
      throw fault;
    }
  }

  function recordAttempt(failed: DatabaseFault | undefined): void {
    const change = breaker.record(failed?.kind);
    if (change === "opened") log.error("Database circuit opened", { kind: failed?.kind });
    if (change === "closed") log.info("Database circuit closed");
  }

  return {
    async run({ name, budgetMs, isIdempotent, attemptMs = ATTEMPT_MS, isProbe = false }, work) {
      const startedAt = Date.now();
      const remainingMs = () => budgetMs - (Date.now() - startedAt);
      let attempts = 0;
      let failed: DatabaseFault | undefined;
      let isOver = false;

      const once = async () => {
        const refused = isProbe ? undefined : breaker.refuses();
        const timeoutMs = Math.min(attemptMs, remainingMs());
        if (refused === undefined && (failed === undefined || timeoutMs >= LEAST_ATTEMPT_MS)) {
          return attempt(name, timeoutMs, attempts++, work);
        }
        isOver = true;
        // The fault of the last attempt says more than that no time is left.
        throw failed ?? new DatabaseFault(name, refusedByBreaker(refused ?? "timeout"), 0);
      };
      const canRetry = (error: unknown) => {
        if (!(error instanceof DatabaseFault) || isOver) return false;
        failed = error;
        const { retryable, outcomeUnknown } = error.fault;
        return retryable && (isIdempotent || !outcomeUnknown) && remainingMs() > LEAST_ATTEMPT_MS;
      };
      // A delay ends while there is still time for an attempt.
      const inTime = (delays: IBackoffFactory<unknown>): IBackoffFactory<unknown> => ({
        next(context) {
          const step = delays.next(context);
          const duration = Math.min(step.duration, Math.max(remainingMs() - LEAST_ATTEMPT_MS, 0));
          return { ...inTime(step), duration };
        },
      });
      const backoff = inTime(
        new ExponentialBackoff({ initialDelay: FIRST_DELAY_MS, maxDelay: LONGEST_DELAY_MS }),
      );
      const report = (outcome: "succeeded" | "failed") => {
        if (attempts < 2) return;
        const duration_ms = Date.now() - startedAt;
        log.warning("Database operation retried", {
          operation: name,
          kind: failed?.kind,
          attempts,
          duration_ms,
          outcome,
        });
      };
      try {
        const result = await retry(handleWhen(canRetry), { maxAttempts: MAX_RETRIES, backoff }).execute(once);
        report("succeeded");
        return result;
      } catch (error) {
        report("failed");
        throw error;
      }
    },
  };
}

/** The fault of an operation that the circuit breaker has refused. */
function refusedByBreaker(kind: FaultKind): Fault {
  return { kind, retryable: false, outcomeUnknown: false, answered: false };
}
