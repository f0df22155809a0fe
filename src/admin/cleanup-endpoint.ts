// Operator routes of the cleanup: run a tier now, list the records of runs.
import type { Context } from "hono";
import * as z from "zod";
import { storeRefusals } from "../http/errors.ts";
import { limit, noQuery, readParams, readQuery, wholeNumber } from "../http/input.ts";
import { documentedRoute } from "../http/openapi.ts";
import { clean, CleanupFailed } from "../cleanup/clean.ts";
import { blockedBy, cleanupRun, type RunsStore } from "./runs-store.ts";
import type { CleanupReport, CleanupStore } from "../cleanup/store.ts";
import { endedOutcomes, runOutcomes, type Tier, tierNames } from "../cleanup/tiers.ts";

const tier = z.enum(tierNames, { error: `must be ${tierNames.join(" or ")}` }).describe("A cleanup tier");
const params = z.object({ tier });
const runsQuery = z.strictObject({
  tier: tier.optional(),
  outcome: z
    .enum(runOutcomes, { error: `must be one of ${runOutcomes.join(", ")}` })
    .optional()
    .describe("Only runs with this outcome"),
  before: wholeNumber(1, Number.MAX_SAFE_INTEGER, "must be the number of a run")
    .optional()
    .describe("The `next` of the page before"),
  limit,
});

const runReport = z.object({
  tier,
  run_id: z.int(),
  outcome: z.enum(endedOutcomes),
  deleted: z.int().min(0),
  batches: z.int().min(0),
  error_code: z
    .string()
    .nullable()
    .describe("SQLSTATE of a failed run; `busy` of a skipped one, when another run is in progress"),
  blocked: z.int().min(0).describe("How many expired sessions cannot be deleted"),
  blocked_by: blockedBy,
});

export const runCleanupRoute = documentedRoute({
  summary: "Runs a cleanup tier now, even if its cron is switched off",
  scope: "admin",
  params,
  answers: {
    200: { description: "The run has ended, or was skipped", schema: runReport },
    503: { description: "The run has failed. What it deleted before stays deleted", schema: runReport },
  },
  refusals: ["invalid_request", ...storeRefusals],
});

export const listRunsRoute = documentedRoute({
  summary: "Lists the records of cleanup runs, the latest first",
  scope: "admin",
  query: runsQuery,
  answers: {
    200: {
      description: "A page",
      schema: z.object({ runs: z.array(cleanupRun), next: z.int().nullable() }),
    },
  },
  refusals: ["invalid_request", ...storeRefusals],
});

/** Both handlers @throw AppError and DatabaseFault. */
export function cleanupEndpoint({
  store,
  runs,
  now,
}: {
  store: CleanupStore;
  runs: RunsStore;
  now: () => Date;
}) {
  return {
    run: async (c: Context) => {
      readQuery(c, noQuery);
      const chosen = readParams(c, params).tier;
      const running = clean(store, chosen, now());
      // The run goes on when the caller disconnects.
      c.executionCtx.waitUntil(running.catch(() => undefined));
      try {
        return c.json(answerOf(chosen, await running));
      } catch (error) {
        if (!(error instanceof CleanupFailed)) throw error;
        return c.json(answerOf(chosen, error.report), 503);
      }
    },
    list: async (c: Context) => c.json(await runs.list(readQuery(c, runsQuery))),
  };
}

function answerOf(chosen: Tier, report: CleanupReport) {
  const { runId, outcome, deleted, batches, errorCode, blocked, blockedBy: by } = report;
  return {
    tier: chosen,
    run_id: runId,
    outcome,
    deleted,
    batches,
    error_code: errorCode,
    blocked,
    blocked_by: by,
  };
}
