// Takes up tasks that nobody runs: those whose runner has died, and those that a runner was asked for and did not begin.
import type { IdleSleep } from "../cleanup/idle-sleep.ts";
import type { Tier } from "../cleanup/tiers.ts";
import { errorName, logOf } from "../log.ts";
import type { DueStore } from "./due-store.ts";
import type { TaskHere, TaskRunner } from "./runner.ts";

/** Of a cron event. @throws DatabaseFault */
export type PickUp = (tier: Tier, scheduledAt: Date, here: TaskHere) => Promise<void>;

export interface PickUpOptions {
  store: DueStore;
  runner: TaskRunner;
  /** Of tasks, not of the cleanup. */
  sleep: IdleSleep;
}

const log = logOf("tasks", {
  info: {
    "Tasks picked up": {
      meaning:
        "A cron event has found tasks that nobody ran. `started` are tried again; `lost` have failed, because their tools allow no other attempt.",
      fields: ["tier", "started", "lost"],
    },
  },
  error: {
    "Tasks not picked up": {
      meaning: "A cron event could not look for tasks that nobody runs. The next one does.",
      fields: ["tier", "error"],
    },
  },
});

// A Date's last instant: nothing is due, until something is created.
const NEVER = new Date(8_640_000_000_000_000);

export function createPickUp({ store, runner, sleep }: PickUpOptions): PickUp {
  const pickUp: PickUp = async (tier, scheduledAt, here) => {
    const wakesAt = (await sleep.wakesAt())?.[tier];
    if (wakesAt !== undefined && wakesAt > scheduledAt) return;
    const { keys, lost, nextDue } = await store.due({ limit: runner.atOnce });
    // Of more than it can start the rest is due still, so the next event does not sleep.
    await sleep.recordRun({ earliestExpiry: nextDue ?? NEVER }, scheduledAt);
    await Promise.all(keys.map((key) => runner.start({ key }, here)));
    if (keys.length + lost > 0) log.info("Tasks picked up", { tier, started: keys.length, lost });
  };
  return async (tier, scheduledAt, here) => {
    try {
      await pickUp(tier, scheduledAt, here);
    } catch (error) {
      log.error("Tasks not picked up", { tier, error: errorName(error) });
      throw error;
    }
  };
}
