// How long cron events can leave the database asleep: until the first time at which a tier can have work. Pure.
import * as z from "zod";

const time = z.number();

/** What the last successful run found. Times are milliseconds since 1970. */
export const runRecord = z.object({
  /** The version of the Worker. Another version may have other lifetimes, so it asks the database first. */
  versionId: z.string(),
  /** The time of the run's cron event. The run may not have seen what happened later. */
  ranAt: time,
  /** When the first of the remaining sessions expires. */
  earliestExpiry: time,
});

/** Sessions were opened or ended at some time between the two. */
export const activityRecord = z.object({ since: time, until: time });

export type RunRecord = z.infer<typeof runRecord>;
export type ActivityRecord = z.infer<typeof activityRecord>;

export interface SleepLimits {
  /** How long a session must have been expired for the tier to delete it. */
  ageSeconds: number;
  /** The longest sleep, for tables that other programs write to. */
  maxSleepSeconds: number;
}

/**
 * Before this time, in milliseconds since 1970, the tier has nothing to delete. A touch only moves an expiry further away.
 * So two kinds of sessions count: those that the last run left, and those that were opened or ended since.
 */
export function wakeTime(
  run: RunRecord,
  activity: ActivityRecord | undefined,
  { ageSeconds, maxSleepSeconds }: SleepLimits,
): number {
  const isSinceRun = activity !== undefined && activity.until >= run.ranAt;
  const firstActivity = isSinceRun ? Math.max(activity.since, run.ranAt) : Infinity;
  return Math.min(
    Math.min(run.earliestExpiry, firstActivity) + ageSeconds * 1000,
    run.ranAt + maxSleepSeconds * 1000,
  );
}

/** The record of an activity, joined with an earlier one that no run has seen. */
export function mergeActivity(
  earlier: ActivityRecord | undefined,
  run: RunRecord | undefined,
  { since, until }: ActivityRecord,
): ActivityRecord {
  const isUnseen = earlier !== undefined && (run === undefined || earlier.until >= run.ranAt);
  return { since: isUnseen ? Math.min(earlier.since, since) : since, until };
}
