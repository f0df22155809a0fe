// Keeps in Workers KV until when no tier can have work, so that cron events can leave the database asleep. There are two
// records: one that cron events write after a run, one that whatever opens or ends sessions writes. Tasks that somebody must start
// are work of another kind: they have two records of their own.
// KV shows a write elsewhere after about a minute (Cloudflare, "How KV works"): a cron event may be late by as much anyway.
// Nothing here throws. What cannot be read or written means that the database is asked.
import { timeout, TimeoutStrategy } from "cockatiel";
import type * as z from "zod";
import { errorName, logOf } from "../log.ts";
import type { Records } from "./settings.ts";
import type { CleanupReport } from "./store.ts";
import { eachTier, type Tier } from "./tiers.ts";
import { activityRecord, mergeActivity, runRecord, wakeTime } from "./wake-time.ts";

export interface IdleSleep {
  /** Before then a tier has nothing to delete; undefined when that is not known. */
  wakesAt: () => Promise<Record<Tier, Date> | undefined>;
  /** Records a run whose report says when the first of the remaining rows is due. */
  recordRun: (report: Pick<CleanupReport, "earliestExpiry">, scheduledAt: Date) => Promise<void>;
  /** Records that rows are being added, or are due earlier now. An isolate writes this once in five minutes. */
  recordActivity: () => Promise<void>;
}

export interface IdleSleepOptions {
  /** Of the Worker. */
  versionId: string;
  minAgeSeconds: Record<Tier, number>;
  now: () => Date;
  /** What the cron events do. Left out: the cleanup. */
  work?: keyof typeof KEYS;
}

const log = logOf("cleanup", {
  warning: {
    "Cleanup sleep record failed": {
      meaning: "Workers KV did not answer in time, or with an error. The next cron event asks the database.",
      fields: ["operation", "error"],
    },
  },
});

// The keys of the two records of each kind of work.
const KEYS = {
  cleanup: { run: "last-run", activity: "activity" },
  tasks: { run: "last-pick-up", activity: "task-activity" },
} as const;

// KV takes one write a second for a key, and the free plan a thousand a day.
const ACTIVITY_WINDOW_MS = 300_000;
// How long another isolate may not see a record, and how long an operation may last: MCP_SESSION_TIMEOUT_MS at most.
const UNSEEN_MS = 60_000;
// KV answers within milliseconds. After this the database is asked instead.
const TIMEOUT_MS = 2000;

/** Every cron event asks the database. */
export const neverAsleep: IdleSleep = {
  wakesAt: () => Promise.resolve(undefined),
  recordRun: () => Promise.resolve(),
  recordActivity: () => Promise.resolve(),
};

/** @param config undefined switches it off. */
export function createIdleSleep(
  config: { records: Records; maxSeconds: number } | undefined,
  { versionId, minAgeSeconds, now, work = "cleanup" }: IdleSleepOptions,
): IdleSleep {
  if (config === undefined) return neverAsleep;
  const { records: kv, maxSeconds: maxSleepSeconds } = config;
  const { run: RUN, activity: ACTIVITY } = KEYS[work];
  let recordedUntil = 0;

  const read = async <T>(key: string, record: z.ZodType<T>): Promise<T | undefined> => {
    const text = await kv.get(key);
    return text === null ? undefined : record.parse(JSON.parse(text));
  };
  const readBoth = () => Promise.all([read(RUN, runRecord), read(ACTIVITY, activityRecord)]);
  const write = (key: string, value: object) => kv.put(key, JSON.stringify(value));

  return {
    async wakesAt() {
      const [run, activity] = (await attempt("read", readBoth)) ?? [];
      if (run?.versionId !== versionId) return undefined;
      return eachTier(
        (tier) => new Date(wakeTime(run, activity, { ageSeconds: minAgeSeconds[tier], maxSleepSeconds })),
      );
    },

    async recordRun({ earliestExpiry }, scheduledAt) {
      if (earliestExpiry === null) return;
      const record = { versionId, ranAt: scheduledAt.getTime(), earliestExpiry: earliestExpiry.getTime() };
      await attempt("record a run", () => write(RUN, record));
    },

    async recordActivity() {
      const at = now().getTime();
      if (at < recordedUntil) return;
      // For the time of this attempt only: a cancelled request never says how its attempt ended.
      recordedUntil = at + TIMEOUT_MS;
      const until = at + ACTIVITY_WINDOW_MS;
      // An operation may begin before the record is seen and end after the window.
      const activity = { since: at - UNSEEN_MS, until: until + UNSEEN_MS };
      const isRecorded = await attempt("record activity", async () => {
        const records = await readBoth().catch(() => undefined);
        // A record that cannot be read may have said anything.
        const merged =
          records === undefined ? { ...activity, since: 0 } : mergeActivity(records[1], records[0], activity);
        await write(ACTIVITY, merged);
        return true;
      });
      // After a failure the next one tries again.
      recordedUntil = isRecorded === undefined ? 0 : until;
    },
  };
}

async function attempt<T>(operation: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await timeout(TIMEOUT_MS, TimeoutStrategy.Aggressive).execute(work);
  } catch (error) {
    log.warning("Cleanup sleep record failed", { operation, error: errorName(error) });
    return undefined;
  }
}
