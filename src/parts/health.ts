// GET /session-health by itself, for an app that has other routes.
import type { Hono } from "hono";
import { healthEndpoint, readHealthQuery } from "../health/endpoint.ts";
import { sharedAnswers } from "../health/shared-answers.ts";
import { requireKey } from "./keys.ts";
import { fromEnv } from "./per-env.ts";
import { createRoutes, type GuardOption, type RoutesEnv } from "./routes.ts";
import { watchIn } from "./watch.ts";

/**
 * 200 while sessions can live in the database, else 503 with the reason: `app.route("/session-health", healthRoutes())`.
 * @throws ConfigurationError at a request, while a variable is wrong.
 */
export function healthRoutes({ guard = requireKey("health") }: GuardOption = {}): Hono<RoutesEnv> {
  return createRoutes(guard).get(
    "/",
    fromEnv((env) => sharedAnswers({ ...watchIn(env), read: readHealthQuery })),
    fromEnv((env) => healthEndpoint({ ...watchIn(env), unknownVariables: [] })),
  );
}
