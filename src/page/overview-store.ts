// What the overview shows: the census, and figures beside it, in one statement.
import { sql } from "drizzle-orm";
import * as z from "zod";
import { epochMilliseconds } from "../db/time.ts";
import type { Census } from "../health/grade.ts";
import type { HealthStore } from "../health/store.ts";

export interface Figures {
  /**
   * The active session that expires next. Where all sessions have one time to live, it is the one that was longest without a
   * request. Null: none is active.
   */
  oldestActive: { lastActive: Date | null; expiresAt: Date | null } | null;
  /**
   * For how long the records of the last 24 hours show that the compute was awake, in seconds. A lower bound: requests that
   * only read leave no record.
   */
  awakeSeconds: number;
}

export interface Overview {
  census: Census;
  figures: Figures;
  /** The round trip to the database, as the Worker measured it. */
  tookMs: number;
  takenAt: Date;
}

export interface OverviewStore {
  /**
   * Asks as takeCensus does.
   * @throws TrialFailed when a session cannot live in the tables
   * @throws DatabaseFault
   */
  takeOverview(overdueSeconds: number): Promise<Overview>;
}

// Neon's default: a compute is suspended after five minutes without activity.
const SUSPENDED_AFTER = sql.raw("interval '5 minutes'");

// The size of Neon's smallest compute.
const SMALLEST_CU = 0.25;

/** What the smallest compute of Neon uses in so many seconds, in CU-hours. */
export const cuHours = (seconds: number) => (seconds / 3600) * SMALLEST_CU;

// More than two tiers with a run each minute make in a day. The latest ones are found without reading the others.
const RUNS_OF_A_DAY = sql.raw("3000");

// The index of expiry times has the session. A run keeps the compute awake from its start until five minutes after its end; of
// one that was interrupted the end is not known. In an hour without a run something was opened, ended or deleted, or not.
const query = sql`
  SELECT jsonb_build_object(
    'oldest_active', (
      SELECT jsonb_build_object('last_active', ${epochMilliseconds("s.last_active")},
                                'expires_at', ${epochMilliseconds("s.expires_at")})
        FROM ONLY mcp_sessions s WHERE s.expires_at > now() ORDER BY s.expires_at LIMIT 1),
    'awake_seconds', (
      WITH hours AS MATERIALIZED (
        SELECT hour, greatest(to_timestamp(hour * 3600), now() - interval '1 day') AS begins,
               least(to_timestamp((hour + 1) * 3600), now()) AS ends
          FROM (SELECT floor(extract(epoch FROM now()) / 3600)::integer - age AS hour
                  FROM generate_series(0, 24) AS age) AS h
      ), runs AS MATERIALIZED (
        SELECT unnest(range_agg(tstzrange(r.started_at,
                 CASE WHEN r.error_code = 'interrupted' THEN r.started_at
                      ELSE greatest(coalesce(r.finished_at, now()), r.started_at) END + ${SUSPENDED_AFTER}))) AS span
          FROM (SELECT * FROM mcp_cleanup_runs ORDER BY run_id DESC LIMIT ${RUNS_OF_A_DAY}) AS r
         WHERE r.started_at > now() - interval '1 day'
      ), counted AS MATERIALIZED (
        SELECT DISTINCT t.shard / 16 AS hour FROM mcp_session_totals t
         WHERE t.name <> 'sessions_expired' AND t.shard / 16 >= (SELECT min(hour) FROM hours)
      )
      SELECT coalesce(sum(extract(epoch FROM greatest(
               (SELECT sum(least(upper(r.span), h.ends) - greatest(lower(r.span), h.begins)) FROM runs r
                 WHERE r.span && tstzrange(h.begins, h.ends)),
               CASE WHEN c.hour IS NOT NULL THEN least(${SUSPENDED_AFTER}, h.ends - h.begins) END))), 0)::float8
        FROM hours h LEFT JOIN counted c USING (hour))) AS figures`;

const time = z.number().transform((ms) => new Date(ms));

const figures = z
  .object({
    oldest_active: z.object({ last_active: time.nullable(), expires_at: time.nullable() }).nullable(),
    awake_seconds: z.number(),
  })
  .transform(({ oldest_active: oldest, awake_seconds: awakeSeconds }) => ({
    oldestActive: oldest && { lastActive: oldest.last_active, expiresAt: oldest.expires_at },
    awakeSeconds,
  }));

export function createOverviewStore(health: HealthStore, { now }: { now: () => Date }): OverviewStore {
  return {
    async takeOverview(overdueSeconds) {
      const startedAt = now();
      const { census, more } = await health.takeCensusWith(overdueSeconds, { query, schema: figures });
      const takenAt = now();
      return { census, figures: more, tookMs: takenAt.getTime() - startedAt.getTime(), takenAt };
    },
  };
}
