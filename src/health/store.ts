// The census: a trial of the tables, the counts, the last runs and the totals, in one statement.
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { IdleSleep } from "../cleanup/idle-sleep.ts";
import { runOutcomes, tierNames, triggers } from "../cleanup/tiers.ts";
import type { Database } from "../db/client.ts";
import { epochMilliseconds, isoTime } from "../db/time.ts";
import type { Census } from "./grade.ts";
import { keptColumn, keptCounts, type Keeps } from "./kept.ts";
import { refusalOf, usabilities, usability } from "./usability.ts";

export interface HealthStore {
  /**
   * Counts by the database's clock: exactly up to 100,000 expired sessions; more are an estimate with a lower bound. Its cost
   * grows with the expired sessions up to there, not with the table (mcp_count_sessions).
   * @param overdueSeconds how long a session may have been expired before cleanup is overdue.
   * @param isWholeLife whether to try the whole life of a session, and not only its opening. Nothing stays of a trial.
   * @throws TrialFailed when a session cannot live in the tables
   * @throws DatabaseFault
   */
  takeCensus(overdueSeconds: number, isWholeLife?: boolean): Promise<Census>;

  /** The same census, and more of the tables in the same statement. */
  takeCensusWith<T>(overdueSeconds: number, more: More<T>): Promise<{ census: Census; more: T }>;
}

/** What is asked besides the census. */
export interface More<T> {
  /** A query of one value. */
  query: SQL;
  /** Reads the value, of type jsonb. */
  schema: z.ZodType<T>;
}

const tierRows = sql.join(
  tierNames.map((tier) => sql`(${sql.raw(`'${tier}'`)})`),
  sql`, `,
);

const seconds = z
  .number()
  .nullable()
  .transform((epoch) => (epoch === null ? null : new Date(epoch * 1000)));

const milliseconds = z
  .number()
  .nullable()
  .transform((epoch) => (epoch === null ? null : new Date(epoch)));

const histories = z
  .object({
    failures_in_a_row: z.number(),
    last_success: milliseconds,
    last_run: z
      .object({
        outcome: z.enum(runOutcomes),
        trigger: z.enum(triggers),
        scheduled_at: z.string().nullable(),
        started_at: z.string().nullable(),
        finished_at: z.string().nullable(),
        deleted: z.number(),
        batches: z.number(),
        error_code: z.string().nullable(),
        blocked: z.number(),
        blocked_by: z.string().nullable(),
      })
      .nullable(),
  })
  .transform(({ failures_in_a_row: failuresInARow, last_success: lastSuccessAt, last_run: lastRun }) => ({
    failuresInARow,
    lastSuccessAt,
    lastRun,
  }));

// Neon over HTTP returns bigint as text; booleans and JSON keep their types.
const censuses = z.tuple([
  z
    .object({
      total: z.coerce.number(),
      expired: z.coerce.number(),
      expired_at_least: z.coerce.number(),
      is_overdue: z.boolean(),
      oldest_expired: seconds,
      totals: z.record(z.string(), z.number()),
      history: z.record(z.enum(tierNames), histories),
      kept: keptCounts,
    })
    .transform(
      ({
        is_overdue: isOverdue,
        oldest_expired: oldestExpiredAt,
        expired_at_least: expiredAtLeast,
        ...rest
      }) => ({
        isOverdue,
        oldestExpiredAt,
        expiredAtLeast,
        ...rest,
      }),
    ),
]);

export interface HealthStoreOptions {
  timeoutMs: number;
  idleSleep: IdleSleep;
  /** Which of these are counted, too. Left out: none. */
  keeps?: Keeps;
  now: () => Date;
}

export function createHealthStore(
  database: Database,
  { timeoutMs, idleSleep, keeps = { handles: false, tasks: false }, now }: HealthStoreOptions,
): HealthStore {
  const count = <T>(overdueSeconds: number, isWholeLife: boolean, columns: SQL, read: (more: unknown) => T) =>
    // Nothing of it stays. It is sent although the circuit is open: that is how the circuit closes again.
    database.run(
      { name: "session census", budgetMs: timeoutMs, isIdempotent: true, isProbe: true },
      async (db) => {
        const { rows } = await db.execute(sql`
          SELECT usable.*, sessions.*, runs.history, totals.totals${keptColumn(keeps, overdueSeconds)}${columns}
            FROM (${usability(isWholeLife)}) AS usable
            -- Sessions are counted after the trial, and only if it has worked: the trial says best what is wrong. OFFSET
            -- keeps the condition in here, where it is checked before the function is called.
            LEFT JOIN LATERAL (SELECT total, expired, expired_at_least, is_overdue,
                                      extract(epoch FROM oldest_expired)::float8 AS oldest_expired
                                 FROM mcp_count_sessions(${overdueSeconds})
                                WHERE usable.trial ->> 'step' IS NULL OFFSET 0) AS sessions ON true,
                 (SELECT jsonb_object_agg(tier, jsonb_build_object(
                           'last_run', (SELECT to_jsonb(r) - '{run_id,tier,cutoff,renewed_at,backend_pid}'::text[] || jsonb_build_object(
                                                 'scheduled_at', ${isoTime("r.scheduled_at")},
                                                 'started_at', ${isoTime("r.started_at")},
                                                 'finished_at', ${isoTime("r.finished_at")})
                                          FROM mcp_cleanup_runs r
                                         WHERE r.tier = tiers.tier ORDER BY r.run_id DESC LIMIT 1),
                           'last_success', (SELECT ${epochMilliseconds("r.finished_at")} FROM mcp_cleanup_runs r
                                             WHERE r.tier = tiers.tier AND r.outcome IN ('completed', 'partial')
                                             ORDER BY r.run_id DESC LIMIT 1),
                           'failures_in_a_row', (SELECT count(*) FROM mcp_cleanup_runs r
                                                  WHERE r.tier = tiers.tier AND r.outcome = 'failed'
                                                    AND r.run_id > coalesce((
                                                      SELECT max(ok.run_id) FROM mcp_cleanup_runs ok
                                                       WHERE ok.tier = tiers.tier
                                                         AND ok.outcome IN ('completed', 'partial')), 0)))) AS history
                    FROM (VALUES ${tierRows}) AS tiers (tier)) AS runs,
                 (SELECT coalesce(jsonb_object_agg(name, value), '{}') AS totals
                    FROM (SELECT name, sum(value) AS value FROM mcp_session_totals GROUP BY name) AS summed) AS totals`);
        const usable = usabilities.parse(rows);
        const refusal = refusalOf(usable);
        if (refusal !== undefined) throw refusal;
        const counted = { ...censuses.parse(rows)[0], mayHideRows: usable[0].may_hide_rows };
        return { counted, more: read(rows[0]?.["more"]) };
      },
    );

  const take = async <T>(...asked: Parameters<typeof count<T>>) => {
    const [overdueSeconds] = asked;
    const [{ counted, more }, wakesAt] = await Promise.all([count(...asked), idleSleep.wakesAt()]);
    // Another program has added it, and cleanup is rightly asleep.
    const isExcused =
      wakesAt !== undefined && wakesAt.regular.getTime() > now().getTime() - overdueSeconds * 1000;
    return { census: { ...counted, isOverdue: counted.isOverdue && !isExcused, wakesAt }, more };
  };

  return {
    async takeCensus(overdueSeconds, isWholeLife = false) {
      const { census } = await take(overdueSeconds, isWholeLife, sql``, () => undefined);
      return census;
    },
    takeCensusWith: (overdueSeconds, { query, schema }) =>
      take(overdueSeconds, false, sql`, (${query}) AS more`, (more) => schema.parse(more)),
  };
}
