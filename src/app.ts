// The HTTP door: the order of the middleware and every route.
import { type Context, Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { requestId } from "hono/request-id";
import { cleanupEndpoint, listRunsRoute, runCleanupRoute } from "./admin/cleanup-endpoint.ts";
import {
  endHandleRoute,
  endTaskRoute,
  handlesEndpoint,
  listHandlesRoute,
  listTasksRoute,
  tasksEndpoint,
} from "./admin/kept-endpoint.ts";
import type { HandlesStore, TasksStore } from "./admin/kept-store.ts";
import type { RunsStore } from "./admin/runs-store.ts";
import {
  endSessionRoute,
  endSessionsRoute,
  listSessionsRoute,
  sessionsEndpoint,
} from "./admin/sessions-endpoint.ts";
import type { SessionsStore } from "./admin/sessions-store.ts";
import { RESOURCE_PATH } from "./auth/challenge.ts";
import { type Authentication, guardOf, requireScope } from "./auth/guard.ts";
import {
  metadataCors,
  metadataEndpoint,
  metadataMethods,
  metadataPaths,
  metadataRoute,
} from "./auth/metadata-endpoint.ts";
import { callerOf, principalOf } from "./auth/principal.ts";
import type { CleanupStore } from "./cleanup/store.ts";
import type { UnknownVariable } from "./unknown-variables.ts";
import type { HandlesOptions } from "./handles/own-handles.ts";
import { healthEndpoint, healthRoute, readHealthQuery } from "./health/endpoint.ts";
import type { Limits } from "./health/grade.ts";
import type { HealthStore } from "./health/store.ts";
import type { Version } from "./health/settings.ts";
import { sharedAnswers } from "./health/shared-answers.ts";
import { isAnnouncedTooLarge } from "./http/body.ts";
import { mcpCors, originGuard } from "./http/cors.ts";
import { documentEndpoint, documentRoute, livenessRoute } from "./http/document.ts";
import { AppError, errorResponse, oauthError } from "./http/errors.ts";
import { refusalOf } from "./http/refusal.ts";
import { requestLog, type RequestVariables } from "./http/request-log.ts";
import { mcpEndpoint, type McpEndpointOptions } from "./mcp/endpoint.ts";
import { mcpDeleteRoute, mcpGetRoute, mcpPostRoute } from "./mcp/routes.ts";
import { legacyCheckOf, legacyVersions, mcpMethodsOf } from "./mcp/revisions.ts";
import type { RequestStateOptions } from "./mcp/request-state.ts";
import type { StreamOptions } from "./mcp/streamed.ts";
import type { Eras } from "./mcp/settings.ts";
import type { ServerFactory } from "./mcp/server-factory.ts";
import { metricsEndpoint, metricsRoute } from "./metrics/endpoint.ts";
import { isPagePath, refusalPage } from "./page/refusal.ts";
import { type PageDeps, pageRoutes } from "./page/routes.ts";
import { sessionMiddleware, type SessionMiddlewareOptions } from "./session/middleware.ts";
import { mcpRefusal } from "./session/protocol.ts";
import type { StateStore } from "./session/state-store.ts";
import type { SessionStore } from "./session/store.ts";

const MCP_PATH = RESOURCE_PATH;
const RUNS_PATH = "/cleanup/runs";

export interface AppDeps {
  now: () => Date;
  version: Version;
  unknownVariables: readonly UnknownVariable[];
  allowedOrigins: readonly string[];
  authentication: Authentication;
  /** What people see of the server when they sign in. */
  serverName: string;
  createServer: ServerFactory;
  sessions: SessionStore;
  state: StateStore;
  eras: Eras;
  handles: HandlesOptions | undefined;
  streams: StreamOptions | undefined;
  requestState: RequestStateOptions | undefined;
  tasks: McpEndpointOptions["tasks"];
  recall: SessionMiddlewareOptions["recall"] | undefined;
  mayOpenSession: (principal: string) => Promise<boolean>;
  clientDataMaxBytes: number;
  bodyMaxValues: number;
  manualCleanups: CleanupStore;
  runs: RunsStore;
  allSessions: SessionsStore;
  /** Undefined: there are no handles. */
  allHandles: HandlesStore | undefined;
  /** Undefined: there are no tasks. */
  allTasks: TasksStore | undefined;
  health: HealthStore;
  healthMaxAgeSeconds: number;
  healthLimits: Limits;
  /** Undefined: there is no page of operators. */
  page: PageDeps | undefined;
}

export function createApp(deps: AppDeps) {
  const { now, version, authentication, page } = deps;
  const { tokens } = authentication;
  const mcpMethods = mcpMethodsOf(deps.eras, deps.streams !== undefined);
  const refuse = (c: Context<{ Variables: RequestVariables }>, error: AppError) =>
    page !== undefined && isPagePath(c.req.path)
      ? refusalPage(c, error)
      : errorResponse(error, c.get("requestId"), refusalBody(c.req.path, error, tokens !== undefined));
  // Not strict: every route has its path with a slash at the end, too. A redirect would lose the body of a POST.
  const app = new Hono<{ Variables: RequestVariables }>({ strict: false });

  // Every request gets an id of our own. An id from the client could be anything, even a secret.
  app.use(requestId({ headerName: "" }));
  app.use(requestLog);
  // Before all that can refuse a request: a page must be able to read why.
  app.use(MCP_PATH, mcpCors({ allowedOrigins: deps.allowedOrigins, methods: mcpMethods }));
  if (tokens !== undefined) for (const path of metadataPaths) app.use(path, metadataCors);
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => refuse(c, methodRefusal(c.req.path, methods)),
    }),
  );
  if (page !== undefined) {
    const server = { serverName: deps.serverName, hasSignIn: tokens !== undefined };
    app.route("/", pageRoutes({ ...deps, page, server, guardOf: (scope) => guardOf(authentication, scope) }));
  }
  // The session gate counts a body whose length is not announced. Only forms of the page are bodies beside it.
  app.use((c, next) =>
    isAnnouncedTooLarge(c.req.raw) ? Promise.reject(new AppError("payload_too_large")) : next(),
  );

  if (tokens !== undefined) {
    const metadata = metadataEndpoint(tokens.config, deps.serverName);
    for (const path of metadataPaths) app.get(path, metadataRoute, metadata);
  }
  app.get("/healthz", livenessRoute, (c) => c.json({ status: "ok" }));
  app.get("/openapi.json", documentRoute, documentEndpoint(app));
  app.get(
    "/session-health",
    healthRoute,
    requireScope(authentication, "health"),
    sharedAnswers({ maxAgeSeconds: deps.healthMaxAgeSeconds, now, read: readHealthQuery }),
    healthEndpoint({
      store: deps.health,
      limits: deps.healthLimits,
      version,
      unknownVariables: deps.unknownVariables,
      now,
    }),
  );
  app.get(
    "/metrics",
    metricsRoute,
    requireScope(authentication, "metrics"),
    metricsEndpoint({ store: deps.health, limits: deps.healthLimits, version, now }),
  );
  const isAdmin = requireScope(authentication, "admin");
  const sessions = sessionsEndpoint({ store: deps.allSessions });
  app.get("/sessions", listSessionsRoute, isAdmin, sessions.list);
  app.delete("/sessions", endSessionsRoute, isAdmin, sessions.endAll);
  app.delete("/sessions/:handle", endSessionRoute, isAdmin, sessions.end);
  if (deps.allHandles !== undefined) {
    const handles = handlesEndpoint({ store: deps.allHandles });
    app.get("/handles", listHandlesRoute, isAdmin, handles.list);
    app.delete("/handles/:key", endHandleRoute, isAdmin, handles.end);
  }
  if (deps.allTasks !== undefined) {
    const tasks = tasksEndpoint({ store: deps.allTasks });
    app.get("/tasks", listTasksRoute, isAdmin, tasks.list);
    app.delete("/tasks/:key", endTaskRoute, isAdmin, tasks.end);
  }
  const cleanup = cleanupEndpoint({ store: deps.manualCleanups, runs: deps.runs, now });
  app.use(RUNS_PATH, async (c, next) =>
    c.req.method === "POST" ? refuse(c, methodRefusal(RUNS_PATH, ["GET", "HEAD"])) : next(),
  );
  app.get(RUNS_PATH, listRunsRoute, isAdmin, cleanup.list);
  app.post("/cleanup/:tier", runCleanupRoute, isAdmin, cleanup.run);
  app.post(MCP_PATH, mcpPostRoute);
  if (mcpMethods.includes("DELETE")) app.delete(MCP_PATH, mcpDeleteRoute);
  if (mcpMethods.includes("GET")) app.get(MCP_PATH, mcpGetRoute);
  app.on(
    mcpMethods,
    MCP_PATH,
    originGuard(deps.allowedOrigins),
    requireScope(authentication, "mcp"),
    sessionMiddleware({
      store: deps.sessions,
      principal: principalOf,
      isLegacy: legacyCheckOf(deps.eras),
      protocolVersions: legacyVersions,
      mayOpen: deps.mayOpenSession,
      clientDataMaxBytes: deps.clientDataMaxBytes,
      bodyMaxValues: deps.bodyMaxValues,
      replays: deps.streams !== undefined,
      ...(deps.recall !== undefined && { recall: deps.recall }),
    }),
    mcpEndpoint({
      createServer: deps.createServer,
      sessions: deps.sessions,
      state: deps.state,
      principal: callerOf,
      tokens: tokens?.config,
      eras: deps.eras,
      handles: deps.handles,
      streams: deps.streams,
      requestState: deps.requestState,
      tasks: deps.tasks,
    }),
  );

  app.notFound((c) => refuse(c, new AppError("not_found")));
  app.onError((error, c) => refuse(c, refusalOf(error, c)));
  return app;
}

/** @param methods those of every route that the path matches. */
function methodRefusal(path: string, methods: readonly string[]): AppError {
  const allowed: Record<string, string[]> = {
    // Preflights are answered by mcpCors and metadataCors.
    [MCP_PATH]: [...methods, "OPTIONS"],
    ...Object.fromEntries(metadataPaths.map((metadata) => [metadata, [...metadataMethods, "OPTIONS"]])),
    // POST is of /cleanup/:tier, and this is no tier.
    [RUNS_PATH]: methods.filter((method) => method !== "POST"),
  };
  return new AppError("method_not_allowed", undefined, { Allow: (allowed[path] ?? methods).join(", ") });
}

/** The body of a refusal where it is not the usual one. */
function refusalBody(path: string, error: AppError, areTokensTaken: boolean): object | undefined {
  return path === MCP_PATH ? mcpRefusal(error, areTokensTaken) : oauthError(path, error);
}
