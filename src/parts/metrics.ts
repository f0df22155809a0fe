// GET /metrics by itself, for an app that has other routes.
import type { Hono } from "hono";
import { metricsEndpoint } from "../metrics/endpoint.ts";
import { requireKey } from "./keys.ts";
import { fromEnv } from "./per-env.ts";
import { createRoutes, type GuardOption, type RoutesEnv } from "./routes.ts";
import { watchIn } from "./watch.ts";

/**
 * The census for Prometheus: `app.route("/metrics", metricsRoutes())`.
 * @throws ConfigurationError at a request, while a variable is wrong.
 */
export function metricsRoutes({ guard = requireKey("metrics") }: GuardOption = {}): Hono<RoutesEnv> {
  return createRoutes(guard).get(
    "/",
    fromEnv((env) => metricsEndpoint(watchIn(env))),
  );
}
