// The HTTP door: the order of the middleware and every route.
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { methodNotAllowed } from "hono/method-not-allowed";
import { requestId } from "hono/request-id";
import { type Authenticate, requireScope } from "./auth.ts";
import { AppError, describeFault, type ErrorCode, errorResponse } from "./errors.ts";
import { healthEndpoint } from "./health/endpoint.ts";
import type { Limits } from "./health/health.ts";
import type { HealthStore } from "./health/store.ts";
import { logOf } from "./log.ts";
import { requestLog, type RequestVariables } from "./request-log.ts";

const log = logOf("http");

// No route takes a large body; 1 MiB is a hundredth of what Workers would accept.
const BODY_LIMIT_BYTES = 1024 * 1024;

export interface AppDeps {
  authenticate: Authenticate;
  health: HealthStore;
  healthLimits: Limits;
  now: () => Date;
}

export function createApp({ authenticate, health, healthLimits, now }: AppDeps) {
  const app = new Hono<{ Variables: RequestVariables }>();

  // Every request gets an id of its own: one from the client could be anything, a secret too.
  app.use(requestId({ headerName: "" }));
  app.use(requestLog);
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => refuse(c, "method_not_allowed", { Allow: methods.join(", ") }),
    }),
  );
  app.use(bodyLimit({ maxSize: BODY_LIMIT_BYTES, onError: (c) => refuse(c, "payload_too_large") }));

  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get(
    "/session-health",
    requireScope(authenticate, "health"),
    healthEndpoint({ store: health, limits: healthLimits, now }),
  );

  app.notFound((c) => refuse(c, "not_found"));
  app.onError((error, c) => {
    const id = c.get("requestId");
    if (error instanceof AppError) return errorResponse(error, id);
    log.error("The request failed", { ...describeFault(error), request_id: id });
    return errorResponse(new AppError("internal"), id);
  });
  return app;
}

function refuse(
  c: Context<{ Variables: RequestVariables }>,
  code: ErrorCode,
  headers: Record<string, string> = {},
) {
  return errorResponse(new AppError(code, undefined, headers), c.get("requestId"));
}
