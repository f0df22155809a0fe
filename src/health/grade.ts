// Grades the health of the session store by its census. Pure.
import type { Cron } from "croner";
import type { KeptCounts } from "./kept.ts";
import { intervalSeconds, type RunOutcome, type Tier, type Trigger } from "../cleanup/tiers.ts";

/** A run in the census. Times are ISO 8601; those outside the years 1 to 9999 are null. */
export interface LastRun {
  outcome: RunOutcome;
  trigger: Trigger;
  scheduled_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  deleted: number;
  batches: number;
  error_code: string | null;
  /** How many expired sessions could not be deleted. */
  blocked: number;
}

export interface TierHistory {
  lastRun: LastRun | null;
  /** How many runs have failed since the last success. Skipped runs do not count. */
  failuresInARow: number;
  /** When the last `completed` or `partial` run ended. */
  lastSuccessAt: Date | null;
}

export interface Census {
  total: number;
  /** Exact while it equals `expiredAtLeast`, else an estimate. */
  expired: number;
  expiredAtLeast: number;
  /** Whether a session has been expired for longer than the regular cleanup can explain. */
  isOverdue: boolean;
  /** When the longest expired session expired; null when none has. */
  oldestExpiredAt: Date | null;
  history: Record<Tier, TierHistory>;
  /** Whether row-level security may keep rows from the Worker's role. */
  mayHideRows: boolean;
  /** With idle sleep: until when each tier has nothing to delete, if that is known. */
  wakesAt: Record<Tier, Date> | undefined;
  /** The totals of mcp_session_totals by name; one that is missing is 0. */
  totals: Record<string, number>;
  /** Handles and tasks, where they are switched on. */
  kept?: KeptCounts;
}

export const degradations = [
  "cleanup_overdue",
  "cleanup_failing",
  "cleanup_blocked",
  "expired_ratio_high",
  "rows_hidden",
  "tasks_overdue",
] as const;
export type Degradation = (typeof degradations)[number];

export interface Limits {
  /** The schedule of each tier. */
  crons: Record<Tier, Cron>;
  /** Expired sessions for each active one. */
  expiredRatioMax: number;
  /** The tiers whose crons start runs. What another tier did earlier says nothing about today. */
  activeTiers: readonly Tier[];
}

// With fewer expired sessions a high ratio is normal: a quiet server has few active sessions in the morning.
const RATIO_COUNTS_ABOVE = 100;
// After one failure the next run catches up.
const FAILURES_IN_A_ROW = 3;

// After two intervals one event has failed, and so has the next.
const OVERDUE_INTERVALS = 2;

/** How long a session may have been expired, in seconds, before the regular cleanup is overdue. */
export function overdueSeconds({ crons }: Limits, now: Date): number {
  return OVERDUE_INTERVALS * intervalSeconds(crons.regular, now);
}

/** The reasons that can be: without tasks none is overdue. */
export const possibleDegradations = ({ kept }: Pick<Census, "kept">): Degradation[] =>
  degradations.filter((reason) => reason !== "tasks_overdue" || kept?.tasks !== undefined);

/** The reasons why a database that answers is degraded; empty when it is healthy. */
export function grade(
  { total, expired, isOverdue, history, mayHideRows, kept }: Census,
  { expiredRatioMax, activeTiers }: Limits,
) {
  const isFailing = activeTiers.some((tier) => history[tier].failuresInARow >= FAILURES_IN_A_ROW);
  const isRatioHigh = expired > RATIO_COUNTS_ABOVE && expired > expiredRatioMax * (total - expired);
  const found: Record<Degradation, boolean> = {
    cleanup_overdue: isOverdue,
    cleanup_failing: isFailing,
    cleanup_blocked: activeTiers.some((tier) => (history[tier].lastRun?.blocked ?? 0) > 0),
    expired_ratio_high: isRatioHigh,
    rows_hidden: mayHideRows,
    tasks_overdue: kept?.is_overdue === true,
  };
  return degradations.filter((reason) => found[reason]);
}
