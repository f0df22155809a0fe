// All SQL of the cleanup: a run is one call of the procedure mcp_cleanup_sessions, one round trip.
import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Database } from "../db/client.ts";
import { endedOutcomes, type Tier, type Trigger } from "./tiers.ts";

/** How a run ended, and what it did. */
export interface CleanupReport {
  runId: number;
  outcome: (typeof endedOutcomes)[number];
  deleted: number;
  batches: number;
  /** SQLSTATE of a failed run, `busy` or `duplicate` for a skipped one, else null. */
  errorCode: string | null;
  /** When the first of the remaining sessions expires; null when that is not known. */
  earliestExpiry: Date | null;
  /** How many expired sessions cannot be deleted. */
  blocked: number;
  /** What keeps them: SQLSTATEs or `kept`, the most frequent first; null when none is blocked. */
  blockedBy: string | null;
}

export interface CleanupStore {
  /**
   * Deletes what the tier may delete as of `currentTime`, but nothing that is live by the database's clock.
   * @throws DatabaseFault when the database did not answer. What was deleted until then is counted there.
   */
  clean(tier: Tier, currentTime: Date): Promise<CleanupReport>;
}

export interface CleanupSettings {
  trigger: Trigger;
  minAgeSeconds: Record<Tier, number>;
  /** Sessions a transaction. */
  batchSize: number;
  timeBudgetMs: number;
  runRetentionDays: number;
}

// After its budget a run still ends its last batch, and a suspended compute needs seconds to wake.
const GRACE_MS = 15_000;

const reports = z.tuple([
  z
    .object({
      run_id: z.coerce.number(),
      outcome: z.enum(endedOutcomes),
      deleted: z.coerce.number(),
      batches: z.coerce.number(),
      error_code: z.string().nullable(),
      earliest_expiry: z.coerce
        .number()
        .transform((ms) => new Date(ms))
        .nullable(),
      blocked: z.coerce.number(),
      blocked_by: z.string().nullable(),
    })
    .transform(
      ({
        run_id: runId,
        error_code: errorCode,
        earliest_expiry: earliestExpiry,
        blocked_by: blockedBy,
        ...rest
      }) => ({ runId, errorCode, earliestExpiry, blockedBy, ...rest }),
    ),
]);

/** @param afterRun gets the report of each run that the database has answered. */
export function createCleanupStore(
  database: Database,
  { trigger, minAgeSeconds, batchSize, timeBudgetMs, runRetentionDays }: CleanupSettings,
  afterRun: (report: CleanupReport, currentTime: Date) => Promise<void> = () => Promise.resolve(),
): CleanupStore {
  const limitMs = timeBudgetMs + GRACE_MS;
  return {
    async clean(tier, currentTime) {
      const operation = {
        name: `${tier} cleanup`,
        budgetMs: limitMs,
        attemptMs: limitMs,
        // A repeated run continues where the last one ended, and each batch is counted in its own transaction.
        isIdempotent: true,
        isProbe: true,
      };
      const report = await database.run(operation, async (db) => {
        const { rows } = await db.execute(
          sql`CALL mcp_cleanup_sessions(${tier}, ${trigger}, ${currentTime.toISOString()}, ${minAgeSeconds[tier]},
            ${batchSize}, ${timeBudgetMs}, ${runRetentionDays})`,
        );
        return reports.parse(rows)[0];
      });
      await afterRun(report, currentTime);
      return report;
    },
  };
}
