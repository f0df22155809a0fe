// The recipe: the only place that builds the database, the stores and the clock. One builder a room.
import { createRunsStore } from "./admin/runs-store.ts";
import { createSessionsStore } from "./admin/sessions-store.ts";
import { createCleanupStore } from "./cleanup/store.ts";
import { connect } from "./db/client.ts";
import type { Config } from "./env.ts";
import { overdueSeconds } from "./health/grade.ts";
import { createHealthStore } from "./health/store.ts";
import { createCsrf } from "./page/csrf.ts";
import { createHistoryStore } from "./page/history-store.ts";
import { createKnownOverview } from "./page/known-overview.ts";
import { createOverviewStore } from "./page/overview-store.ts";
import { createSignInLimit } from "./page/sign-in-limit.ts";
import { createSignIns } from "./page/sign-ins.ts";
import { authenticationOf } from "./parts/authentication.ts";
import { healthLimitsOf, idleSleepOf } from "./parts/cleanup.ts";
import { handlesOn } from "./parts/handles.ts";
import { keptOn } from "./parts/kept.ts";
import { openingLimitOf, sessionsOn } from "./parts/sessions.ts";
import { streamsOn } from "./parts/streams.ts";
import { tasksOn } from "./parts/tasks.ts";
import { createAdminActivityStore } from "./session/activity-store.ts";
import { createStateStore } from "./session/state-store.ts";

const now = () => new Date();

// A Worker may go on for 30 seconds after its answer, and the last batch of a run is not cut short.
const PAGE_RUN_MS = 20_000;

export function createDeps({
  database: address,
  apiKeys,
  tokens,
  access,
  cleanup,
  health,
  sessions,
  streams,
  requestStateKeys,
  eras,
  handles,
  tasks,
  allowedOrigins,
  bodyMaxValues,
  unknownVariables,
  page,
}: Omit<Config, "log" | "server">) {
  const { version } = health;
  const database = connect(address);
  const budgetMs = Math.min(cleanup.timeBudgetMs, PAGE_RUN_MS);

  const idleSleep = idleSleepOf(cleanup, version, now);
  const cachedSessions = sessionsOn(database, sessions, idleSleep, now);

  const keeps = { handles: handles !== undefined, tasks: tasks !== undefined };
  const healthStore = createHealthStore(database, {
    timeoutMs: health.timeoutMs,
    idleSleep,
    keeps,
    now,
  });
  const healthLimits = healthLimitsOf(cleanup, health.expiredRatioMax);

  return {
    now,
    version,
    unknownVariables,
    allowedOrigins,
    authentication: authenticationOf({ apiKeys, tokens, access }, now),

    sessions: cachedSessions,
    state: createStateStore(database, sessions),
    ...streamsOn(database, { streams, requestStateKeys, timeoutMs: sessions.timeoutMs }, idleSleep, now),
    eras,
    handles: handles && handlesOn(database, { ...handles, timeoutMs: sessions.timeoutMs }, idleSleep),
    tasks: tasksOn(database, { tasks, timeoutMs: sessions.timeoutMs }, { idleSleep, cleanup, version, now }),
    recall: sessions.degradedMode === "serve" ? cachedSessions.recall : undefined,
    clientDataMaxBytes: sessions.clientDataMaxBytes,
    bodyMaxValues,
    mayOpenSession: openingLimitOf(sessions),

    idleSleep,
    cleanups: createCleanupStore(database, { ...cleanup, trigger: "cron" }, idleSleep.recordRun),
    manualCleanups: createCleanupStore(database, { ...cleanup, trigger: "manual" }),

    runs: createRunsStore(database, sessions),
    allSessions: createAdminActivityStore(
      createSessionsStore(database, {
        timeoutMs: sessions.timeoutMs,
        onEnded: cachedSessions.forgetAll,
      }),
      idleSleep.recordActivity,
    ),
    ...keptOn(database, keeps, sessions, idleSleep),

    health: healthStore,
    healthMaxAgeSeconds: health.maxAgeSeconds,
    healthLimits,

    page: page.isOn
      ? {
          // Who knows the address of the database can do all that the page can: no other secret is needed.
          signIns: createSignIns({ apiKeys, secret: address.url, now }),
          csrf: createCsrf({ secret: address.url, now }),
          hearsWrongKey: createSignInLimit(page.signInRateLimit, now),
          lists: {
            history: createHistoryStore(database, { timeoutMs: health.timeoutMs }),
            cleanups: createCleanupStore(database, { ...cleanup, timeBudgetMs: budgetMs, trigger: "manual" }),
            budgetMs,
          },
          known: createKnownOverview({
            store: createOverviewStore(healthStore, { now }),
            maxAgeSeconds: health.maxAgeSeconds,
            versionId: version.id,
            overdueSeconds: () => overdueSeconds(healthLimits, now()),
            now,
          }),
          setup: { version, differences: page.differences, unknownVariables },
        }
      : undefined,
  };
}

export type Deps = ReturnType<typeof createDeps>;
