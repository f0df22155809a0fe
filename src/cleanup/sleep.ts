// How long cron events can leave the database asleep: until the first time at which a tier can have work. Pure.
import * as z from "zod";

const time = z.number();

/** What the last run that went well found. Times are milliseconds since 1970. */
export const lastRunNotes = z.object({
  /** The version of the Worker: another may have other lifetimes, and then the next event asks. */
  versionId: z.string(),
  /** The time of its cron event: whatever happened later it may not have seen. */
  ranAt: time,
  /** Of the sessions that it left, when the first expires. */
  earliestExpiry: time,
});

/** When sessions were opened or ended: somewhere between the two. */
export const useNotes = z.object({ since: time, until: time });

export type LastRunNotes = z.infer<typeof lastRunNotes>;
export type UseNotes = z.infer<typeof useNotes>;

export interface Sleeping {
  /** How long a session must have been expired for the tier to delete it. */
  ageSeconds: number;
  /** The longest sleep, for tables that other programs write to. */
  maxSleepSeconds: number;
}

/**
 * Before this time, in milliseconds since 1970, the tier has nothing to delete. A touch only ever moves an expiry away,
 * so what counts are the sessions that the last run left and those that were opened or ended since.
 */
export function wakeTime(
  run: LastRunNotes,
  use: UseNotes | undefined,
  { ageSeconds, maxSleepSeconds }: Sleeping,
): number {
  const firstUse = use !== undefined && use.until >= run.ranAt ? Math.max(use.since, run.ranAt) : Infinity;
  return Math.min(
    Math.min(run.earliestExpiry, firstUse) + ageSeconds * 1000,
    run.ranAt + maxSleepSeconds * 1000,
  );
}

/** The notes of a use, and of an earlier one that the last run has not seen. */
export function joinedUse(
  earlier: UseNotes | undefined,
  run: LastRunNotes | undefined,
  { since, until }: UseNotes,
): UseNotes {
  const isUnseen = earlier !== undefined && (run === undefined || earlier.until >= run.ranAt);
  return { since: isUnseen ? Math.min(earlier.since, since) : since, until };
}
