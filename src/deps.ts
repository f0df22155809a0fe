// The only place that builds the database, the stores and the clock.
import { createAuthenticate } from "./auth.ts";
import { createRunsStore } from "./cleanup/runs-store.ts";
import { createSleepStore } from "./cleanup/sleep-store.ts";
import { createCleanupStore } from "./cleanup/store.ts";
import { parseCron, runsIn, tierNames } from "./cleanup/tiers.ts";
import { connect } from "./db/client.ts";
import type { Config } from "./env.ts";
import { createHealthStore } from "./health/store.ts";
import { createAdminStore } from "./session/admin-store.ts";
import { createNotingAdminStore, createNotingStore } from "./session/noting-store.ts";
import { createStateStore } from "./session/state-store.ts";
import { createSessionStore } from "./session/store.ts";
import { createTrustingStore } from "./session/trusting-store.ts";

const now = () => new Date();

export function createDeps({
  database: address,
  apiKeys,
  cleanup,
  health,
  sessions,
  allowedOrigins,
  initializeRateLimit,
  sleep: sleepSettings,
  version,
}: Omit<Config, "log">) {
  const database = connect(address);
  const sleep =
    sleepSettings?.notes === undefined
      ? undefined
      : createSleepStore(sleepSettings.notes, {
          versionId: version.id,
          minAgeSeconds: cleanup.minAgeSeconds,
          maxSleepSeconds: sleepSettings.maxSeconds,
          now,
        });
  const cleanups = createCleanupStore(database, { ...cleanup, trigger: "cron" });
  const store = createSessionStore(database, sessions);
  const noting = sleep === undefined ? store : createNotingStore(store, sleep.noteUse);
  const trusting = createTrustingStore(noting, {
    intervalSeconds: sessions.validationIntervalSeconds,
    now,
  });
  const admin = createAdminStore(database, { timeoutMs: sessions.timeoutMs, onEnded: trusting.distrust });
  return {
    authenticate: createAuthenticate(apiKeys),
    cleanups: sleep === undefined ? cleanups : sleep.notingRuns(cleanups),
    health: createHealthStore(database, { ...health, sleep, now }),
    healthLimits: {
      crons: {
        regular: parseCron(cleanup.crons.regular),
        immediate: parseCron(cleanup.crons.immediate),
      },
      expiredRatioMax: health.expiredRatioMax,
      activeTiers: tierNames.filter((tier) => runsIn(tier, cleanup.mode)),
    },
    healthMaxAgeSeconds: health.maxAgeSeconds,
    sessions: trusting,
    recall: sessions.degradedMode === "serve" ? trusting.recall : undefined,
    admin: sleep === undefined ? admin : createNotingAdminStore(admin, sleep.noteUse),
    sleep,
    runs: createRunsStore(database, sessions),
    manualCleanups: createCleanupStore(database, { ...cleanup, trigger: "manual" }),
    state: createStateStore(database, sessions),
    mayOpenSession: async (principal: string) =>
      initializeRateLimit === undefined || (await initializeRateLimit.limit({ key: principal })).success,
    allowedOrigins,
    version,
    now,
  };
}
