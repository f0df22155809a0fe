// What is measured, as metric families. Every number comes from the database: an isolate cannot count, because there are
// others beside it and it does not last. Labels have few values, each of a list. Pure.
import { durationBoundsMs, endedOutcomes, type Tier, tierNames } from "../cleanup/tiers.ts";
import { type FaultKind, faultKinds } from "../db/fault.ts";
import { type Census, type Degradation, possibleDegradations } from "../health/grade.ts";
import type { Version } from "../health/settings.ts";
import { endReasons } from "../session/session.ts";
import { counter, each, type Family, gauge, type Sample, single, times } from "./family.ts";
import { keptFamilies } from "./kept-families.ts";

/** The data of one scrape. */
export interface Scrape {
  version: Version;
  /** The time between two cron events of each active tier. */
  intervalSeconds: Partial<Record<Tier, number>>;
  querySeconds: number;
  store: { census: Census; reasons: readonly Degradation[] } | { fault: FaultKind };
}

/** All families of a scrape. While the database cannot be asked, only those that need no row. */
export function familiesOf({ version, intervalSeconds, querySeconds, store }: Scrape): Family[] {
  const fault = "fault" in store ? store.fault : undefined;
  const activeTiers = tierNames.filter((tier) => intervalSeconds[tier] !== undefined);
  return [
    gauge(
      "mcp_session_store_up",
      "1: the database answered this scrape, and a session can be opened; 0: not",
      single(fault === undefined ? 1 : 0),
    ),
    gauge(
      "mcp_session_store_fault",
      "1 for the reason why the database could not be used for this scrape",
      each("kind", faultKinds, (kind) => (kind === fault ? 1 : 0)),
    ),
    gauge(
      "mcp_session_store_query_duration_seconds",
      "How long the statement of this scrape took, in seconds",
      single(querySeconds),
    ),
    gauge("mcp_session_worker_info", "1 for the version of the Worker that answered this scrape", [
      { labels: { version: version.id, tag: version.tag }, value: 1 },
    ]),
    gauge(
      "mcp_session_cleanup_interval_seconds",
      "The time between two cron events of a tier that is switched on, in seconds",
      each("tier", activeTiers, (tier) => intervalSeconds[tier] ?? 0),
    ),
    ...("fault" in store ? [] : familiesOfCensus(store.census, store.reasons)),
  ];
}

function familiesOfCensus(census: Census, reasons: readonly Degradation[]): Family[] {
  const { total, expired, oldestExpiredAt, history, wakesAt, totals } = census;
  const sum = (name: string) => totals[name] ?? 0;
  return [
    gauge("mcp_sessions", "Sessions in the table, active and expired", [
      { labels: { state: "active" }, value: total - expired },
      { labels: { state: "expired" }, value: expired },
    ]),
    counter("mcp_sessions_opened_total", "Sessions opened on /mcp", single(sum("sessions_opened"))),
    counter(
      "mcp_sessions_ended_total",
      "Sessions ended before they expired",
      each("reason", endReasons, (reason) => sum(`sessions_ended/${reason}`)),
    ),
    counter(
      "mcp_sessions_expired_total",
      "Sessions that expired without being ended, those of other programs, too; cleanup counts them",
      single(sum("sessions_expired")),
    ),
    gauge(
      "mcp_sessions_expired_counted_timestamp_seconds",
      "Until when expired sessions have been counted, in seconds since 1970; absent before the first count",
      times([{ labels: {}, at: countedUntil(totals) }]),
    ),
    counter(
      "mcp_sessions_deleted_total",
      "Sessions deleted by cleanup, those of other programs, too",
      each("tier", tierNames, (tier) => sum(`sessions_deleted/${tier}`)),
    ),
    counter(
      "mcp_sessions_deleted_by_openings_total",
      "Expired and ended sessions deleted because their principal had more of them than its limit of sessions",
      single(sum("sessions_deleted/opening")),
    ),
    counter(
      "mcp_session_questions_total",
      "Questions to clients, with MCP_STREAMS: how many were asked, and how many answered",
      each("state", ["asked", "answered"], (state) => sum(`questions_${state}`)),
    ),
    counter(
      "mcp_session_stream_rows_deleted_total",
      "Rows of streams, events, questions and marks deleted by cleanup",
      single(sum("stream_rows_deleted")),
    ),
    counter(
      "mcp_session_cleanup_runs_total",
      "Cleanup runs that have ended",
      tierNames.flatMap((tier) =>
        endedOutcomes.map((outcome) => ({
          labels: { tier, outcome },
          value: sum(`cleanup_runs/${tier}/${outcome}`),
        })),
      ),
    ),
    {
      name: "mcp_session_cleanup_duration_seconds",
      help: "Duration of the cleanup runs that were neither skipped nor interrupted, in seconds",
      type: "histogram",
      values: tierNames.flatMap((tier) => durations(tier, sum)),
    },
    gauge(
      "mcp_session_cleanup_last_success_timestamp_seconds",
      "When the last successful cleanup run of a tier ended, in seconds since 1970; absent when there is none",
      times(tierNames.map((tier) => ({ labels: { tier }, at: history[tier].lastSuccessAt }))),
    ),
    gauge(
      "mcp_session_cleanup_sleep_until_timestamp_seconds",
      "With MCP_CLEANUP_IDLE_SLEEP: until when cron events of a tier leave the database asleep, in seconds since 1970",
      times(tierNames.map((tier) => ({ labels: { tier }, at: wakesAt?.[tier] ?? null }))),
    ),
    gauge(
      "mcp_session_cleanup_consecutive_failures",
      "Cleanup runs of a tier that failed since its last successful one",
      each("tier", tierNames, (tier) => history[tier].failuresInARow),
    ),
    gauge(
      "mcp_session_cleanup_blocked_sessions",
      "Expired sessions that the last run of a tier could not delete",
      each("tier", tierNames, (tier) => history[tier].lastRun?.blocked ?? 0),
    ),
    gauge(
      "mcp_session_cleanup_backlog_oldest_timestamp_seconds",
      "When the first of the expired sessions that can be deleted expired, in seconds since 1970; absent when there is none",
      times([{ labels: {}, at: oldestExpiredAt }]),
    ),
    gauge(
      "mcp_session_health_degraded",
      "1 for each reason why session health is degraded",
      each("reason", possibleDegradations(census), (reason) => (reasons.includes(reason) ? 1 : 0)),
    ),
    ...keptFamilies(census),
  ];
}

/** The total `expired_until` is a time, in microseconds. */
function countedUntil({ expired_until: microseconds }: Census["totals"]): Date | null {
  return microseconds === undefined ? null : new Date(microseconds / 1000);
}

/** A histogram's samples: cumulative buckets, sum and count. */
function durations(tier: Tier, sum: (name: string) => number): Sample[] {
  const name = "mcp_session_cleanup_duration_seconds";
  let count = 0;
  const buckets = [...durationBoundsMs, "more" as const].map((bound) => {
    count += sum(`cleanup_duration/${tier}/${bound}`);
    const le = bound === "more" ? "+Inf" : String(bound / 1000);
    return { labels: { tier, le }, value: count, metricName: `${name}_bucket` };
  });
  return [
    ...buckets,
    { labels: { tier }, value: sum(`cleanup_duration_ms/${tier}`) / 1000, metricName: `${name}_sum` },
    { labels: { tier }, value: count, metricName: `${name}_count` },
  ];
}
