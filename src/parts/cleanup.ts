// The cleanup of an environment: how long the database may sleep, and what health expects of its schedule.
import { createIdleSleep, type IdleSleep } from "../cleanup/idle-sleep.ts";
import { type CleanupConfig, cleanupSettings } from "../cleanup/settings.ts";
import { createCleanupStore } from "../cleanup/store.ts";
import { eachTier, parseCron, runsIn, tierNames } from "../cleanup/tiers.ts";
import type { Limits } from "../health/grade.ts";
import { healthSettings, type Version } from "../health/settings.ts";
import { readSettings } from "../settings.ts";
import { databaseOf } from "./database.ts";
import { perEnv } from "./per-env.ts";

const now = () => new Date();

export const idleSleepOf = (
  { idleSleep, minAgeSeconds }: CleanupConfig,
  version: Version,
  clock: () => Date,
): IdleSleep => createIdleSleep(idleSleep, { versionId: version.id, minAgeSeconds, now: clock });

export const healthLimitsOf = (cleanup: CleanupConfig, expiredRatioMax: number): Limits => ({
  crons: eachTier((tier) => parseCron(cleanup.crons[tier])),
  expiredRatioMax,
  activeTiers: tierNames.filter((tier) => runsIn(tier, cleanup.mode)),
});

/** The cleanup by cron, and by hand. @throws ConfigurationError */
export const cleanupIn = perEnv((env) => {
  const database = databaseOf(env);
  const settings = readSettings(cleanupSettings, env);
  const idleSleep = idleSleepOf(settings, readSettings(healthSettings, env).version, now);
  return {
    settings,
    idleSleep,
    byCron: createCleanupStore(database, { ...settings, trigger: "cron" }, idleSleep.recordRun),
    byHand: createCleanupStore(database, { ...settings, trigger: "manual" }),
  };
});
