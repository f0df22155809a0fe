// The only place that builds the database, the stores and the clock.
import { createAuthenticate } from "./auth.ts";
import { createCleanupStore } from "./cleanup/store.ts";
import { parseCron, runsIn, tierNames } from "./cleanup/tiers.ts";
import { connect } from "./db/client.ts";
import type { Config } from "./env.ts";
import { createHealthStore } from "./health/store.ts";
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
}: Omit<Config, "log">) {
  const database = connect(address);
  const trusting = createTrustingStore(createSessionStore(database, sessions), {
    intervalSeconds: sessions.validationIntervalSeconds,
    now,
  });
  return {
    authenticate: createAuthenticate(apiKeys),
    cleanups: createCleanupStore(database, { ...cleanup, trigger: "cron" }),
    health: createHealthStore(database, health),
    healthLimits: {
      regularCron: parseCron(cleanup.crons.regular),
      expiredRatioMax: health.expiredRatioMax,
      activeTiers: tierNames.filter((tier) => runsIn(tier, cleanup.mode)),
    },
    sessions: trusting,
    recall: sessions.degradedMode === "serve" ? trusting.recall : undefined,
    state: createStateStore(database, sessions),
    mayOpenSession: async (principal: string) =>
      initializeRateLimit === undefined || (await initializeRateLimit.limit({ key: principal })).success,
    allowedOrigins,
    now,
  };
}
