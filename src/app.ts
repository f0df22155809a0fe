// The HTTP door: the order of the middleware and every route.
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { methodNotAllowed } from "hono/method-not-allowed";
import { requestId } from "hono/request-id";
import { type Authenticate, principalOf, requireScope } from "./auth.ts";
import { cleanupEndpoint, listRunsRoute, runCleanupRoute } from "./cleanup/endpoint.ts";
import type { RunsStore } from "./cleanup/runs-store.ts";
import type { CleanupStore } from "./cleanup/store.ts";
import { DatabaseFault } from "./db/fault.ts";
import { AppError, describeFault, errorResponse } from "./errors.ts";
import { healthEndpoint, healthRoute } from "./health/endpoint.ts";
import type { Limits } from "./health/health.ts";
import type { HealthStore } from "./health/store.ts";
import { sharedAnswers } from "./health/shared-answers.ts";
import { logOf } from "./log.ts";
import {
  isLegacyRequest,
  legacyVersions,
  mcpDeleteRoute,
  mcpEndpoint,
  mcpPostRoute,
} from "./mcp/endpoint.ts";
import { metricsEndpoint, metricsRoute } from "./metrics/endpoint.ts";
import { mcpCors, originGuard } from "./origin.ts";
import { documentEndpoint, documentRoute, livenessRoute } from "./openapi-document.ts";
import { requestLog, type RequestVariables } from "./request-log.ts";
import type { AdminStore } from "./session/admin-store.ts";
import {
  endSessionRoute,
  endSessionsRoute,
  listSessionsRoute,
  sessionsEndpoint,
} from "./session/endpoint.ts";
import { sessionMiddleware, type SessionMiddlewareOptions } from "./session/middleware.ts";
import { jsonRpcError } from "./session/protocol.ts";
import type { StateStore } from "./session/state-store.ts";
import type { SessionStore } from "./session/store.ts";

const log = logOf("http");

// No route takes a large body, and a tool call carries text; 1 MiB is a hundredth of what Workers would accept.
const BODY_LIMIT_BYTES = 1024 * 1024;

// A suspended compute is awake again by then.
const RETRY_AFTER_SECONDS = "5";

const MCP_PATH = "/mcp";

type AppContext = Context<{ Variables: RequestVariables }>;

export interface AppDeps {
  authenticate: Authenticate;
  health: HealthStore;
  healthLimits: Limits;
  healthMaxAgeSeconds: number;
  sessions: SessionStore;
  state: StateStore;
  admin: AdminStore;
  manualCleanups: CleanupStore;
  runs: RunsStore;
  recall: SessionMiddlewareOptions["recall"] | undefined;
  mayOpenSession: (principal: string) => Promise<boolean>;
  allowedOrigins: readonly string[];
  version: { id: string; tag: string; deployedAt: string | null };
  now: () => Date;
}

export function createApp(deps: AppDeps) {
  const { authenticate, health, healthLimits, healthMaxAgeSeconds, sessions, state, recall, mayOpenSession } =
    deps;
  const { admin, runs, manualCleanups, allowedOrigins, version, now } = deps;
  const app = new Hono<{ Variables: RequestVariables }>();

  // Every request gets an id of its own: one from the client could be anything, a secret too.
  app.use(requestId({ headerName: "" }));
  app.use(requestLog);
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) =>
        refuse(c, new AppError("method_not_allowed", undefined, { Allow: methods.join(", ") })),
    }),
  );
  app.use(
    bodyLimit({ maxSize: BODY_LIMIT_BYTES, onError: (c) => refuse(c, new AppError("payload_too_large")) }),
  );

  app.get("/healthz", livenessRoute, (c) => c.json({ status: "ok" }));
  app.get("/openapi.json", documentRoute, documentEndpoint(app));
  app.get(
    "/session-health",
    healthRoute,
    requireScope(authenticate, "health"),
    sharedAnswers({ maxAgeSeconds: healthMaxAgeSeconds, now }),
    healthEndpoint({ store: health, limits: healthLimits, version, now }),
  );
  app.get(
    "/metrics",
    metricsRoute,
    requireScope(authenticate, "metrics"),
    metricsEndpoint({ store: health, limits: healthLimits, version, now }),
  );
  const isAdmin = requireScope(authenticate, "admin");
  const administered = sessionsEndpoint({ store: admin });
  app.get("/sessions", listSessionsRoute, isAdmin, administered.list);
  app.delete("/sessions", endSessionsRoute, isAdmin, administered.endAll);
  app.delete("/sessions/:handle", endSessionRoute, isAdmin, administered.end);
  const cleanup = cleanupEndpoint({ store: manualCleanups, runs, now });
  app.get("/cleanup/runs", listRunsRoute, isAdmin, cleanup.list);
  app.post("/cleanup/:tier", runCleanupRoute, isAdmin, cleanup.run);
  app.post(MCP_PATH, mcpPostRoute);
  app.delete(MCP_PATH, mcpDeleteRoute);
  app.all(
    MCP_PATH,
    mcpCors(allowedOrigins),
    originGuard(allowedOrigins),
    requireScope(authenticate, "mcp"),
    sessionMiddleware({
      store: sessions,
      principal: principalOf,
      isLegacy: isLegacyRequest,
      protocolVersions: legacyVersions,
      mayOpen: mayOpenSession,
      ...(recall !== undefined && { recall }),
    }),
    mcpEndpoint({ sessions, state, principal: principalOf }),
  );

  app.notFound((c) => refuse(c, new AppError("not_found")));
  app.onError((error, c) => refuse(c, refusalOf(error, c)));
  return app;
}

/** What the client is told of an error; what it is not told is logged. */
function refusalOf(error: Error, c: AppContext): AppError {
  if (error instanceof AppError) return error;
  const id = c.get("requestId");
  if (error instanceof DatabaseFault) {
    log.error("MCP session store failed", { kind: error.kind, sqlstate: error.sqlstate, request_id: id });
    return new AppError("sessions_unavailable", undefined, { "Retry-After": RETRY_AFTER_SECONDS });
  }
  log.error("The request failed", { ...describeFault(error), request_id: id });
  return new AppError("internal");
}

function refuse(c: Context<{ Variables: RequestVariables }>, error: AppError): Response {
  return errorResponse(error, c.get("requestId"), c.req.path === MCP_PATH ? jsonRpcError(error) : undefined);
}
