// GET /session-health: a database that is down is an answer here, not an exception.
import type { Context } from "hono";
import * as z from "zod";
import { tierNames } from "../cleanup/tiers.ts";
import { DatabaseFault } from "../db/fault.ts";
import { AppError } from "../errors.ts";
import { logOf } from "../log.ts";
import { type Census, grade, type Limits, overdueSeconds } from "./health.ts";
import type { HealthStore } from "./store.ts";

const log = logOf("health");

// A monitor that honours it asks again after a compute has had time to wake and a deploy to settle.
const RETRY_AFTER_SECONDS = "30";

const queries = z.object({ verbose: z.enum(["0", "1"]).default("0") });

/** 200 `healthy` or `degraded` with the counts, 503 `unhealthy` with the reason; `?verbose=1` adds the last runs. */
export function healthEndpoint({
  store,
  limits,
  now,
}: {
  store: HealthStore;
  limits: Limits;
  now: () => Date;
}) {
  return async function sessionHealth(c: Context) {
    const query = queries.safeParse(c.req.query());
    if (!query.success) throw new AppError("invalid_request", "The parameter verbose must be 0 or 1");
    now()
      .toISOString()
      .replace(/\.\d+Z$/, "Z");
    let census: Census;
    try {
      census = await store.takeCensus(overdueSeconds(limits, now()));
    } catch (error) {
      if (!(error instanceof DatabaseFault)) throw error;
      const { kind: reason, sqlstate, fault } = error;
      log.error("Session health check failed", { reason, sqlstate, request_id: c.get("requestId") });
      const body = {
        status: "unhealthy",
        database: fault.answered ? "connected" : "disconnected",
        total_sessions: null,
        active_sessions: null,
        expired_sessions: null,
        reason,
        timestamp: wholeSeconds(now()),
      };
      return c.json(body, 503, { "Retry-After": RETRY_AFTER_SECONDS });
    }
    const reasons = grade(census, limits);
    return c.json({
      status: reasons.length === 0 ? "healthy" : "degraded",
      database: "connected",
      total_sessions: census.total,
      active_sessions: census.total - census.expired,
      expired_sessions: census.expired,
      timestamp: wholeSeconds(now()),
      ...(reasons.length > 0 && { reasons }),
      ...(query.data.verbose === "1" && { cleanup: cleanupOf(census) }),
    });
  };
}

function wholeSeconds(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}

function cleanupOf({ history }: Census) {
  const entries = tierNames.map((tier) => {
    const { lastRun, failuresInARow } = history[tier];
    return [tier, { last_run: lastRun, failures_in_a_row: failuresInARow }];
  });
  return Object.fromEntries(entries);
}
