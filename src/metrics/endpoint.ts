// GET /metrics: the census in Prometheus's format. While the database cannot be asked, the answer is still valid, so that
// the target stays up and the alert on the store fires.
import type { Context } from "hono";
import { accepts } from "hono/accepts";
import type { Metric, RegistryContentType } from "prom-client";
import Registry from "prom-client/lib/registry.js";
import * as z from "zod";
import { intervalSeconds, type Tier } from "../cleanup/tiers.ts";
import { DatabaseFault } from "../db/fault.ts";
import { grade, type Limits, overdueSeconds } from "../health/grade.ts";
import type { Version } from "../health/settings.ts";
import type { HealthStore } from "../health/store.ts";
import { TrialFailed } from "../health/trial.ts";
import { logOf } from "../log.ts";
import { documentedRoute } from "../http/openapi.ts";
import { familiesOf, type Scrape } from "./families.ts";
import type { Family } from "./family.ts";

const log = logOf("metrics", {
  error: {
    "Session metrics failed": {
      meaning:
        "The database did not answer a scrape, or no session can be opened. The scrape got `mcp_session_store_up 0`.",
      fields: ["kind", "sqlstate", "step", "request_id"],
    },
  },
});

const OPENMETRICS = "application/openmetrics-text";

export const metricsRoute = documentedRoute({
  summary: "Metrics for Prometheus",
  description: "While the database cannot be used, the status is 200, too, with `mcp_session_store_up 0`.",
  scope: "metrics",
  answers: {
    200: {
      description: "Prometheus text 0.0.4, or OpenMetrics 1.0 where Accept prefers it",
      schema: z.string(),
      contentTypes: ["text/plain", OPENMETRICS],
    },
  },
});

export interface MetricsEndpointOptions {
  store: HealthStore;
  limits: Limits;
  version: Version;
  now: () => Date;
}

/** 200 always: Prometheus text 0.0.4, or OpenMetrics 1.0 where `Accept` prefers it. */
export function metricsEndpoint({ store, limits, version, now }: MetricsEndpointOptions) {
  return async function metrics(c: Context) {
    const startedAt = now();
    const outcome = await measure(store, limits, startedAt, c.get("requestId"));
    const querySeconds = (now().getTime() - startedAt.getTime()) / 1000;
    const intervals: Partial<Record<Tier, number>> = {};
    for (const tier of limits.activeTiers) intervals[tier] = intervalSeconds(limits.crons[tier], startedAt);
    const families = familiesOf({ version, intervalSeconds: intervals, querySeconds, store: outcome });
    const type = accepts(c, {
      header: "Accept",
      supports: ["text/plain", OPENMETRICS],
      default: "text/plain",
    });
    const registry: Registry<RegistryContentType> = new Registry();
    if (type === OPENMETRICS) registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    for (const family of families) registry.registerMetric(metricOf(family));
    return c.body(await registry.metrics(), 200, { "Content-Type": registry.contentType });
  };
}

async function measure(
  store: HealthStore,
  limits: Limits,
  at: Date,
  requestId: string,
): Promise<Scrape["store"]> {
  try {
    const census = await store.takeCensus(overdueSeconds(limits, at));
    return { census, reasons: grade(census, limits) };
  } catch (error) {
    if (!(error instanceof DatabaseFault)) throw error;
    log.error("Session metrics failed", {
      kind: error.kind,
      sqlstate: error.sqlstate,
      step: error instanceof TrialFailed ? error.failed.step : undefined,
      request_id: requestId,
    });
    return { fault: error.kind };
  }
}

/** The part of a metric that a registry uses. The library's own metrics count in memory, from zero. */
function metricOf(family: Family): Metric {
  // For OpenMetrics the registry removes `_total` from a counter's name, and expects the new name from `get`.
  const metric = { ...family, get: async () => ({ ...family, name: metric.name, aggregator: "sum" }) };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a registry asks no more of a metric than this
  return metric as unknown as Metric;
}
