// How healthy the session store is, from what the database says of itself. Pure.
import type { Cron } from "croner";
import { intervalSeconds, type runOutcomes, type Tier } from "../cleanup/tiers.ts";

/** A run as the census has it; times are ISO 8601. */
export interface LastRun {
  outcome: (typeof runOutcomes)[number];
  trigger: "cron" | "manual";
  scheduled_at: string;
  started_at: string;
  finished_at: string | null;
  deleted: number;
  batches: number;
  error_code: string | null;
}

export interface TierHistory {
  lastRun: LastRun | null;
  /** Runs that failed since the last one that did not; skipped runs do not count. */
  failuresInARow: number;
  /** When the last run ended that deleted what it should, or as much as its time budget allowed. */
  lastSuccessAt: Date | null;
}

export interface Census {
  total: number;
  /** Exact while it equals `expiredAtLeast`, else an estimate. */
  expired: number;
  expiredAtLeast: number;
  /** Whether a session has been expired for longer than the regular cleanup can explain. */
  isOverdue: boolean;
  /** When the session expired that has been expired for longest; null when none is. */
  oldestExpiredAt: Date | null;
  history: Record<Tier, TierHistory>;
  /** Where cron events may leave the database asleep: until when each tier has nothing to delete, as far as is known. */
  wakesAt: Record<Tier, Date> | undefined;
  /** The sums that only grow, by the names that the migrations give them; one that is missing is 0. */
  totals: Record<string, number>;
}

export const degradations = ["cleanup_overdue", "cleanup_failing", "expired_ratio_high"] as const;
export type Degradation = (typeof degradations)[number];

export interface Limits {
  /** The schedule of each tier. */
  crons: Record<Tier, Cron>;
  /** Expired sessions for each active one. */
  expiredRatioMax: number;
  /** The tiers whose crons do something; what another tier once did says nothing of today. */
  activeTiers: readonly Tier[];
}

// Below this many a ratio says nothing: a quiet server has few active sessions after every night.
const RATIO_COUNTS_ABOVE = 100;
// One failure is a blip and the next run catches up.
const FAILURES_IN_A_ROW = 3;

// After two intervals a session has outlived an event that failed and one more.
const OVERDUE_INTERVALS = 2;

/** How long a session may have been expired, in seconds, before the regular cleanup is overdue. */
export function overdueSeconds({ crons }: Limits, now: Date): number {
  return OVERDUE_INTERVALS * intervalSeconds(crons.regular, now);
}

/** What is wrong with a database that answers; nothing, when it is healthy. */
export function grade(
  { total, expired, isOverdue, history }: Census,
  { expiredRatioMax, activeTiers }: Limits,
) {
  const isFailing = activeTiers.some((tier) => history[tier].failuresInARow >= FAILURES_IN_A_ROW);
  const isRatioHigh = expired > RATIO_COUNTS_ABOVE && expired > expiredRatioMax * (total - expired);
  const found: Record<Degradation, boolean> = {
    cleanup_overdue: isOverdue,
    cleanup_failing: isFailing,
    expired_ratio_high: isRatioHigh,
  };
  return degradations.filter((reason) => found[reason]);
}
