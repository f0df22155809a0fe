// The records of cleanup runs, for operators.
import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Database } from "../db/client.ts";
import { isoTime } from "../db/time.ts";
import {
  type RunOutcome,
  runOutcomes,
  type Tier,
  tierNames,
  type Trigger,
  triggers,
} from "../cleanup/tiers.ts";

export const blockedBy = z
  .string()
  .nullable()
  .describe("What keeps the blocked sessions: SQLSTATEs or `kept`, the most frequent first");

const time = z.iso.datetime().nullable();

/** A record. Times are ISO 8601; those outside the years 1 to 9999 are null. */
export const cleanupRun = z.object({
  run_id: z.coerce.number().int(),
  tier: z.enum(tierNames),
  trigger: z.enum(triggers),
  scheduled_at: time,
  cutoff: time.describe("The run deletes sessions that expired by then"),
  started_at: time,
  finished_at: time,
  outcome: z.enum(runOutcomes),
  deleted: z.coerce.number().int().min(0),
  batches: z.int().min(0),
  error_code: z.string().nullable(),
  blocked: z.coerce.number().int().min(0).describe("How many expired sessions could not be deleted"),
  blocked_by: blockedBy,
});

export type CleanupRun = z.infer<typeof cleanupRun>;

export interface RunFilter {
  tier?: Tier | undefined;
  outcome?: RunOutcome | undefined;
  /** Only this run. */
  run?: number | undefined;
  /** Only the run that an operator has started at this time. */
  startedByHandAt?: Date | undefined;
  /** Only runs before this one. */
  before?: number | undefined;
  limit: number;
}

export interface RunsStore {
  /** The records, the latest first; `next` is the `before` of the next page. @throws DatabaseFault */
  list(filter: RunFilter): Promise<{ runs: CleanupRun[]; next: number | null }>;
}

const manual: Trigger = "manual";

const iso = (column: string) => sql`${isoTime(column)} AS ${sql.raw(column)}`;

export function createRunsStore(database: Database, { timeoutMs }: { timeoutMs: number }): RunsStore {
  return {
    async list({ tier, outcome, run, startedByHandAt, before, limit }) {
      const conditions = [
        sql`true`,
        ...(tier === undefined ? [] : [sql`tier = ${tier}`]),
        ...(outcome === undefined ? [] : [sql`outcome = ${outcome}`]),
        ...(run === undefined ? [] : [sql`run_id = ${run}`]),
        ...(startedByHandAt === undefined
          ? []
          : [sql`trigger = ${manual} AND scheduled_at = ${startedByHandAt.toISOString()}::timestamptz`]),
        ...(before === undefined ? [] : [sql`run_id < ${before}`]),
      ];
      const { rows } = await database.run(
        { name: "listing cleanup runs", budgetMs: timeoutMs, isIdempotent: true },
        (db) =>
          db.execute(sql`
            SELECT run_id, tier, trigger, ${iso("scheduled_at")}, ${iso("cutoff")}, ${iso("started_at")},
                   ${iso("finished_at")}, outcome, deleted, batches, error_code, blocked, blocked_by
              FROM mcp_cleanup_runs WHERE ${sql.join(conditions, sql` AND `)}
             ORDER BY run_id DESC LIMIT ${limit + 1}`),
      );
      const found = z.array(cleanupRun).parse(rows);
      const runs = found.slice(0, limit);
      return { runs, next: found.length > limit ? (runs.at(-1)?.run_id ?? null) : null };
    },
  };
}
