// All SQL of the cleanup: one call of the procedure that drizzle/0011 makes, one round trip a run.
import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Database } from "../db/client.ts";
import type { Tier } from "./tiers.ts";

/** How a run ended. `partial`: its time budget was used up and the next run goes on. */
export interface CleanupReport {
  runId: number;
  outcome: "completed" | "partial" | "skipped" | "failed";
  deleted: number;
  batches: number;
  /** SQLSTATE of a failed run, `busy` or `duplicate` for a skipped one, else null. */
  errorCode: string | null;
  /** Of the sessions that are left, when the first expires; null when that is not known. */
  earliestExpiry: Date | null;
}

export interface CleanupStore {
  /**
   * Deletes what the tier may delete as of `currentTime`, which the database's clock caps.
   * @throws DatabaseFault when the database did not answer; what was deleted until then is counted there.
   */
  clean(tier: Tier, currentTime: Date): Promise<CleanupReport>;
}

export interface CleanupSettings {
  trigger: "cron" | "manual";
  minAgeSeconds: Record<Tier, number>;
  /** Sessions a transaction. */
  batchSize: number;
  timeBudgetMs: number;
  runRetentionDays: number;
}

// Beyond its budget a run still ends its last batch, and a suspended compute needs seconds to wake.
const PATIENCE_MS = 15_000;

const reports = z.tuple([
  z
    .object({
      run_id: z.coerce.number(),
      outcome: z.enum(["completed", "partial", "skipped", "failed"]),
      deleted: z.coerce.number(),
      batches: z.coerce.number(),
      error_code: z.string().nullable(),
      earliest_expiry: z.coerce
        .number()
        .transform((ms) => new Date(ms))
        .nullable(),
    })
    .transform(({ run_id: runId, error_code: errorCode, earliest_expiry: earliestExpiry, ...rest }) => ({
      runId,
      errorCode,
      earliestExpiry,
      ...rest,
    })),
]);

export function createCleanupStore(database: Database, settings: CleanupSettings): CleanupStore {
  const { trigger, minAgeSeconds, batchSize, timeBudgetMs, runRetentionDays } = settings;
  const patience = { budgetMs: timeBudgetMs + PATIENCE_MS, attemptMs: timeBudgetMs + PATIENCE_MS };
  return {
    clean: (tier, currentTime) =>
      // Sent again, a run goes on where the last one ended; what was deleted has been counted with it.
      database.run(
        { ...patience, name: `${tier} cleanup`, isIdempotent: true, isProbe: true },
        async (db) => {
          const { rows } = await db.execute(
            sql`CALL mcp_cleanup_sessions(${tier}, ${trigger}, ${currentTime.toISOString()}, ${minAgeSeconds[tier]},
            ${batchSize}, ${timeBudgetMs}, ${runRetentionDays})`,
          );
          return reports.parse(rows)[0];
        },
      ),
  };
}
