// What is known without the database of when a tier can have work: two notes in Workers KV, one that cron events write and
// one that whatever opens or ends sessions writes. KV is seen elsewhere within about a minute (Cloudflare, "How KV works"),
// which is no more than a cron event may be late by. None of this throws: what cannot be read or written means asking.
import { timeout, TimeoutStrategy } from "cockatiel";
import type * as z from "zod";
import { describeFault } from "../errors.ts";
import { logOf } from "../log.ts";
import { joinedUse, lastRunNotes, useNotes, wakeTime } from "./sleep.ts";
import type { CleanupStore } from "./store.ts";
import type { Tier } from "./tiers.ts";

export interface SleepStore {
  /** Before then a tier has nothing to delete; undefined when that is not known. */
  wakesAt: () => Promise<Record<Tier, Date> | undefined>;
  /** A store whose runs are noted where they tell when the first of the remaining sessions expires. */
  notingRuns: (cleanups: CleanupStore) => CleanupStore;
  /** Notes that sessions are being opened or ended. Of many uses on an isolate it writes one in five minutes. */
  noteUse: () => Promise<void>;
}

/** Of Workers KV, what the notes need. */
export interface Notes {
  get: (key: string) => Promise<string | null>;
  put: (key: string, value: string) => Promise<void>;
}

const log = logOf("cleanup");

const RUN = "last-run";
const USE = "use";

// KV takes one write a second for a key, and the free plan a thousand a day.
const USE_WINDOW_MS = 300_000;
// As long as the notes of another isolate may not have been seen yet, and a use may go on: MCP_SESSION_TIMEOUT_MS at most.
const UNSEEN_MS = 60_000;
// KV answers within milliseconds; beyond this the database is asked instead.
const TIMEOUT_MS = 2000;

async function attempt<T>(operation: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await timeout(TIMEOUT_MS, TimeoutStrategy.Aggressive).execute(work);
  } catch (error) {
    log.warn("Cleanup sleep notes failed", { operation, ...describeFault(error) });
    return undefined;
  }
}

export function createSleepStore(
  kv: Notes,
  {
    versionId,
    minAgeSeconds,
    maxSleepSeconds,
    now,
  }: { versionId: string; minAgeSeconds: Record<Tier, number>; maxSleepSeconds: number; now: () => Date },
): SleepStore {
  let notedUntil = 0;

  const read = async <T>(key: string, notes: z.ZodType<T>): Promise<T | undefined> => {
    const text = await kv.get(key);
    return text === null ? undefined : notes.parse(JSON.parse(text));
  };
  const readBoth = () => Promise.all([read(RUN, lastRunNotes), read(USE, useNotes)]);
  const write = (key: string, value: object) => kv.put(key, JSON.stringify(value));

  return {
    async wakesAt() {
      const [run, use] = (await attempt("read", readBoth)) ?? [];
      if (run?.versionId !== versionId) return undefined;
      const of = (tier: Tier) =>
        new Date(wakeTime(run, use, { ageSeconds: minAgeSeconds[tier], maxSleepSeconds }));
      return { regular: of("regular"), immediate: of("immediate") };
    },

    notingRuns: (cleanups) => ({
      async clean(tier, currentTime) {
        const report = await cleanups.clean(tier, currentTime);
        const earliestExpiry = report.earliestExpiry?.getTime();
        if (earliestExpiry !== undefined) {
          const notes = { versionId, ranAt: currentTime.getTime(), earliestExpiry };
          await attempt("note a run", () => write(RUN, notes));
        }
        return report;
      },
    }),

    async noteUse() {
      const at = now().getTime();
      if (at < notedUntil) return;
      notedUntil = at + USE_WINDOW_MS;
      // A run must not think that it has seen a use that begins last and ends later.
      const use = { since: at - UNSEEN_MS, until: notedUntil + UNSEEN_MS };
      const noted = await attempt("note a use", async () => {
        const notes = await readBoth().catch(() => undefined);
        // What cannot be read may have said anything.
        await write(USE, notes === undefined ? { ...use, since: 0 } : joinedUse(notes[1], notes[0], use));
        return true;
      });
      // The next one tries again.
      if (noted === undefined) notedUntil = 0;
    },
  };
}
