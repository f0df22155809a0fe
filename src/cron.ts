// The cron door: event → tier → asleep? → run → rethrow on failure.
import { logCleanupFailure, runCleanupOnce, runImmediateCleanup } from "./cleanup/clean.ts";
import type { IdleSleep } from "./cleanup/idle-sleep.ts";
import type { CleanupStore } from "./cleanup/store.ts";
import { type CleanupMode, runsIn, type Tier, tierForCron } from "./cleanup/tiers.ts";
import { errorName, logOf } from "./log.ts";

const log = logOf("cron", {
  info: {
    "MCP session cleanup scheduler started": {
      meaning: "A cron event has arrived. `active` says whether its tier is switched on.",
      fields: ["mode", "tier", "cron", "scheduled_at", "active"],
    },
    "MCP session cleanup: asleep": {
      meaning: "No session can expire before `until`. So the cron event left the database asleep.",
      fields: ["tier", "until"],
    },
  },
});

/** What else a cron event does, at a tier that is switched on. */
export type CronWork = (tier: Tier, scheduledAt: Date) => Promise<void> | undefined;

export interface CronSettings {
  mode: CleanupMode;
  crons: Record<Tier, string>;
}

const run = { regular: runCleanupOnce, immediate: runImmediateCleanup } satisfies Record<Tier, unknown>;

const nothing: CronWork = () => undefined;

/**
 * Handles one cron event. The event's own time is the cutoff, so a late or repeated event cuts at the same place.
 * @param pickUp runs beside the cleanup, and neither keeps the other from its work.
 * @throws whatever one of them failed with, and UnknownCron. Cloudflare then shows the event as failed.
 */
export async function handleCron(
  { cron, scheduledTime }: { cron: string; scheduledTime: number },
  { mode, crons }: CronSettings,
  cleanups: CleanupStore,
  idleSleep: IdleSleep,
  pickUp = nothing,
): Promise<void> {
  let tier: Tier;
  try {
    tier = tierForCron(cron, crons);
  } catch (error) {
    logCleanupFailure({ cron, kind: "unknown_cron", error: errorName(error) });
    throw error;
  }
  const scheduledAt = new Date(scheduledTime);
  const isActive = runsIn(tier, mode);
  log.info("MCP session cleanup scheduler started", {
    mode,
    tier,
    cron,
    scheduled_at: scheduledAt,
    active: isActive,
  });
  if (!isActive) return;
  const ends = await Promise.allSettled([
    pickUp(tier, scheduledAt),
    cleanUnlessAsleep(tier, scheduledAt, cleanups, idleSleep),
  ]);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

async function cleanUnlessAsleep(
  tier: Tier,
  scheduledAt: Date,
  cleanups: CleanupStore,
  idleSleep: IdleSleep,
): Promise<void> {
  const wakesAt = (await idleSleep.wakesAt())?.[tier];
  if (wakesAt !== undefined && wakesAt > scheduledAt) {
    log.info("MCP session cleanup: asleep", { tier, until: wakesAt });
    return;
  }
  await run[tier](cleanups, scheduledAt);
}
