// GET /session-health: a database that is down is an answer here, not an exception.
import type { Context } from "hono";
import * as z from "zod";
import type { PrincipalVariables } from "../auth/principal.ts";
import { eachTier, runOutcomes, tierNames } from "../cleanup/tiers.ts";
import { DatabaseFault, faultKinds, mayPass } from "../db/fault.ts";
import type { UnknownVariable } from "../unknown-variables.ts";
import { readQuery } from "../http/input.ts";
import { logOf } from "../log.ts";
import { documentedRoute } from "../http/openapi.ts";
import { type Census, degradations, grade, type Limits, overdueSeconds } from "./grade.ts";
import { keptMembers } from "./kept.ts";
import type { Version } from "./settings.ts";
import type { HealthStore } from "./store.ts";
import { failedStep, TrialFailed } from "./trial.ts";

const log = logOf("health", {
  error: {
    "Session health check failed": {
      meaning:
        "`/session-health` was answered with 503. `reason` says why, and `step` what a session could not do.",
      fields: ["reason", "sqlstate", "step", "request_id"],
    },
  },
});

// A compute has had time to wake by then, and a deploy to settle.
const RETRY_AFTER_SECONDS = "30";

// Not strict: some monitors add a parameter of their own against caches.
const queries = z.object({
  verbose: z
    .enum(["0", "1"], { error: "must be 0 or 1" })
    .default("0")
    .describe("1 adds the last runs, the version and unknown variables"),
  write: z
    .enum(["0", "1"], { error: "must be 0 or 1" })
    .default("0")
    .describe(
      "1 tries the whole life of a session, and leaves nothing of it. Otherwise only its opening is tried",
    ),
});

const counts = z.int().min(0);
const tierHistory = z.object({
  last_run: z
    .object({ outcome: z.enum(runOutcomes) })
    .loose()
    .nullable(),
  failures_in_a_row: counts,
  sleeps_until: z.iso
    .datetime()
    .optional()
    .describe("Cron events before this time leave the database asleep"),
});

export const healthRoute = documentedRoute({
  summary: "Health: how many sessions there are, and whether cleanup keeps up",
  scope: "health",
  query: queries,
  answers: {
    200: {
      description: "The database is usable",
      schema: z.strictObject({
        status: z.enum(["healthy", "degraded"]),
        database: z.literal("connected"),
        total_sessions: counts,
        active_sessions: counts,
        expired_sessions: counts,
        timestamp: z.iso.datetime(),
        expired_sessions_bounds: z
          .object({ at_least: counts, at_most: counts })
          .optional()
          .describe("Only where expired_sessions, and with it active_sessions, is an estimate"),
        reasons: z.array(z.enum(degradations)).optional(),
        ...keptMembers,
        cleanup: z.record(z.enum(tierNames), tierHistory).optional(),
        worker: z
          .object({
            version_id: z.string(),
            version_tag: z.string(),
            deployed_at: z.string().nullable(),
            unknown_variables: z
              .array(z.object({ name: z.string(), nearest: z.string().nullable() }))
              .describe(
                "Variables that look like ours but are not, each with the one that was probably meant",
              ),
          })
          .optional(),
      }),
    },
    503: {
      description: "The database is not usable; `reason` says why",
      schema: z.strictObject({
        status: z.literal("unhealthy"),
        database: z.enum(["connected", "disconnected"]),
        total_sessions: z.null(),
        active_sessions: z.null(),
        expired_sessions: z.null(),
        reason: z.enum(faultKinds),
        timestamp: z.iso.datetime(),
        failed_step: failedStep
          .optional()
          .describe("Only with `write=1`: what a session could not do. The database answered"),
        sqlstate: z
          .string()
          .nullable()
          .optional()
          .describe("Only for a key that has the scope admin, too: the SQLSTATE, if there was one"),
      }),
    },
  },
  refusals: ["invalid_request"],
});

/** @throws AppError naming the parameter that is wrong. */
export const readHealthQuery = (c: Context) => readQuery(c, queries);

/**
 * 200 `healthy` or `degraded` with the counts, 503 `unhealthy` with the reason. `?verbose=1` adds the last runs; `?write=1`
 * tries the whole life of a session.
 */
export function healthEndpoint({
  store,
  limits,
  version,
  unknownVariables,
  now,
}: {
  store: HealthStore;
  limits: Limits;
  /** For `?verbose=1`, as the unknown variables are. */
  version: Version;
  unknownVariables: readonly UnknownVariable[];
  now: () => Date;
}) {
  return async function sessionHealth(c: Context) {
    const { verbose, write } = readHealthQuery(c);
    let census: Census;
    try {
      census = await store.takeCensus(overdueSeconds(limits, now()), write === "1");
    } catch (error) {
      if (!(error instanceof DatabaseFault)) throw error;
      const { kind: reason, sqlstate, fault } = error;
      const failed = error instanceof TrialFailed ? error.failed : undefined;
      const request_id = c.get("requestId");
      log.error("Session health check failed", { reason, sqlstate, step: failed?.step, request_id });
      const body = {
        status: "unhealthy",
        database: fault.answered ? "connected" : "disconnected",
        total_sessions: null,
        active_sessions: null,
        expired_sessions: null,
        reason,
        timestamp: wholeSeconds(now()),
        ...(write === "1" && failed !== undefined && { failed_step: failed }),
        ...(isForOperator(c) && { sqlstate: sqlstate ?? null }),
      };
      return c.json(body, 503, mayPass(reason) ? { "Retry-After": RETRY_AFTER_SECONDS } : {});
    }
    const reasons = grade(census, limits);
    return c.json({
      status: reasons.length === 0 ? "healthy" : "degraded",
      database: "connected",
      total_sessions: census.total,
      active_sessions: census.total - census.expired,
      expired_sessions: census.expired,
      timestamp: wholeSeconds(now()),
      ...(census.expired !== census.expiredAtLeast && {
        expired_sessions_bounds: { at_least: census.expiredAtLeast, at_most: census.total },
      }),
      ...(reasons.length > 0 && { reasons }),
      ...(census.kept?.handles && { handles: census.kept.handles }),
      ...(census.kept?.tasks && { tasks: census.kept.tasks }),
      ...(verbose === "1" && {
        cleanup: cleanupOf(census, now()),
        worker: {
          version_id: version.id,
          version_tag: version.tag,
          deployed_at: version.deployedAt,
          unknown_variables: unknownVariables,
        },
      }),
    });
  };
}

const isForOperator = (c: Context<{ Variables: Partial<PrincipalVariables> }>) =>
  c.get("principal")?.scopes.includes("admin") === true;

function wholeSeconds(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}

function cleanupOf({ history, wakesAt }: Census, at: Date) {
  return eachTier((tier) => {
    const { lastRun, failuresInARow } = history[tier];
    const until = wakesAt?.[tier];
    const isAsleep = until !== undefined && until > at;
    return {
      last_run: lastRun,
      failures_in_a_row: failuresInARow,
      ...(isAsleep && { sleeps_until: wholeSeconds(until) }),
    };
  });
}
