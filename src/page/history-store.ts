// What has happened with sessions and cleanup runs, hour by hour or day by day, for the charts.
import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Database } from "../db/client.ts";
import { isoTime } from "../db/time.ts";

export const historyWindows = ["day", "week", "month"] as const;
export type HistoryWindow = (typeof historyWindows)[number];

const count = z.number().int().min(0);
const time = z.iso.datetime();

/** An hour, six hours or a day, in UTC. */
const point = z
  .object({
    from: time,
    opened: count,
    ended: count,
    expired: count,
    deleted: count,
    runs: count,
    runs_failed: count,
    runs_deleted: count,
    longest_run_ms: z.number().nullable(),
  })
  .transform(
    ({ runs_failed: runsFailed, runs_deleted: runsDeleted, longest_run_ms: longestRunMs, ...rest }) => ({
      ...rest,
      runsFailed,
      runsDeleted,
      longestRunMs,
    }),
  );

const histories = z.tuple([
  z
    .object({
      points: z.array(point),
      since: time.nullable(),
      expired_until: time.nullable(),
      taken_at: time,
    })
    .transform(({ expired_until: expiredUntil, taken_at: takenAt, ...rest }) => ({
      ...rest,
      expiredUntil,
      takenAt,
    })),
]);

/**
 * `from` is when it begins. `opened`, `ended` and `deleted` count what was done in it; `expired`, the sessions whose time ran
 * out in it. `runs` are the cleanup runs that began in it and were not skipped; `longestRunMs` leaves out those that
 * were interrupted, or are running.
 */
export type HistoryPoint = z.infer<typeof point>;

/**
 * `points` are in the order of time, without gaps; the last one is not over. `since` is the first hour that was counted: before it
 * nothing is known. `expiredUntil` is the last cleanup run: it counts what has expired, so `expired` is not complete
 * after it. `takenAt` is the database's clock. Times are ISO 8601.
 */
export type History = z.infer<typeof histories>[0];

export interface HistoryStore {
  /**
   * 25 points of an hour, 29 of six hours, or 31 of a day.
   * @throws DatabaseFault `schema_missing` when db:migrate must be run first
   */
  history(window: HistoryWindow): Promise<History>;
}

// The hours of a point, and how many points there are before the last one. mcp_fold_totals tells as much
// apart, and more.
const SHAPES = {
  day: { hours: 1, before: 24 },
  week: { hours: 6, before: 28 },
  month: { hours: 24, before: 30 },
} as const satisfies Record<HistoryWindow, { hours: number; before: number }>;

const hourOf = (column: string) => sql.raw(`floor(extract(epoch FROM ${column}) / 3600)::integer`);

export function createHistoryStore(database: Database, { timeoutMs }: { timeoutMs: number }): HistoryStore {
  return {
    async history(window) {
      const { hours, before } = SHAPES[window];
      const step = sql.raw(String(hours));
      const { rows } = await database.run(
        { name: "reading the history", budgetMs: timeoutMs, isIdempotent: true },
        (db) =>
          db.execute(sql`
            WITH bounds AS (
              SELECT ${hourOf("now()")} / ${step} * ${step} AS last,
                     ${hourOf("now()")} / ${step} * ${step} - ${sql.raw(String(hours * before))} AS first
            ), bars AS (
              SELECT generate_series(first, last, ${step}) AS bar FROM bounds
            ), counted AS (
              SELECT shard / 16 / ${step} * ${step} AS bar,
                     sum(value) FILTER (WHERE name = 'sessions_opened') AS opened,
                     sum(value) FILTER (WHERE starts_with(name, 'sessions_ended/')) AS ended,
                     sum(value) FILTER (WHERE name = 'sessions_expired') AS expired,
                     sum(value) FILTER (WHERE starts_with(name, 'sessions_deleted/')) AS deleted
                FROM mcp_session_totals WHERE shard / 16 >= (SELECT first FROM bounds) GROUP BY 1
            ), ran AS (
              SELECT ${hourOf("began")} AS bar, runs, runs_failed, runs_deleted,
                     extract(epoch FROM longest) * 1000 AS longest_run_ms
                FROM (SELECT date_bin(${step} * interval '1 hour', started_at, to_timestamp(0)) AS began,
                             count(*) AS runs, count(*) FILTER (WHERE outcome = 'failed') AS runs_failed,
                             sum(deleted) AS runs_deleted,
                             max(finished_at - started_at)
                               FILTER (WHERE error_code IS DISTINCT FROM 'interrupted') AS longest
                        FROM mcp_cleanup_runs
                       WHERE started_at >= (SELECT to_timestamp(first * 3600) FROM bounds) AND outcome <> 'skipped'
                       GROUP BY 1) AS r
            )
            SELECT (SELECT jsonb_agg(jsonb_build_object(
                             'from', ${isoTime("to_timestamp(bar * 3600)")},
                             'opened', coalesce(opened, 0), 'ended', coalesce(ended, 0), 'expired', coalesce(expired, 0),
                             'deleted', coalesce(deleted, 0), 'runs', coalesce(runs, 0),
                             'runs_failed', coalesce(runs_failed, 0), 'runs_deleted', coalesce(runs_deleted, 0),
                             'longest_run_ms', longest_run_ms::float8) ORDER BY bar)
                      FROM bars LEFT JOIN counted USING (bar) LEFT JOIN ran USING (bar)) AS points,
                   (SELECT ${isoTime("since")}
                      FROM (SELECT to_timestamp(min(shard) / 16 * 3600) AS since
                              FROM mcp_session_totals WHERE shard >= 16) AS s) AS since,
                   (SELECT ${isoTime("to_timestamp(value / 1e6)")}
                      FROM mcp_session_totals WHERE name = 'expired_until') AS expired_until,
                   ${isoTime("now()")} AS taken_at
             -- Fails before db:migrate: its totals have no hours.
             WHERE 'mcp_fold_totals'::regproc IS NOT NULL`),
      );
      return histories.parse(rows)[0];
    },
  };
}
