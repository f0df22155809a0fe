// What of an environment health and metrics are made of: the census, and what it is graded by.
import { cleanupSettings } from "../cleanup/settings.ts";
import { healthSettings } from "../health/settings.ts";
import { createHealthStore } from "../health/store.ts";
import { readSettings } from "../settings.ts";
import { cleanupIn, healthLimitsOf } from "./cleanup.ts";
import { databaseOf } from "./database.ts";
import { keepsIn } from "./kept.ts";
import { perEnv } from "./per-env.ts";

const now = () => new Date();

/** @throws ConfigurationError */
export const watchIn = perEnv((env) => {
  const { timeoutMs, maxAgeSeconds, expiredRatioMax, version } = readSettings(healthSettings, env);
  const { idleSleep } = cleanupIn(env);
  return {
    store: createHealthStore(databaseOf(env), { timeoutMs, idleSleep, keeps: keepsIn(env), now }),
    limits: healthLimitsOf(readSettings(cleanupSettings, env), expiredRatioMax),
    maxAgeSeconds,
    version,
    now,
  };
});
