// The routes of operators by themselves, for an app that has other routes.
import type { Hono } from "hono";
import { cleanupEndpoint } from "../admin/cleanup-endpoint.ts";
import { handlesEndpoint, tasksEndpoint } from "../admin/kept-endpoint.ts";
import { createRunsStore } from "../admin/runs-store.ts";
import { sessionsEndpoint } from "../admin/sessions-endpoint.ts";
import { createSessionsStore } from "../admin/sessions-store.ts";
import { AppError } from "../http/errors.ts";
import { createAdminActivityStore } from "../session/activity-store.ts";
import { cleanupIn } from "./cleanup.ts";
import { databaseOf } from "./database.ts";
import { keepsIn, keptOn } from "./kept.ts";
import { requireKey } from "./keys.ts";
import { fromEnv, perEnv } from "./per-env.ts";
import { createRoutes, type GuardOption, type RoutesEnv } from "./routes.ts";
import { sessionsIn } from "./sessions.ts";

const adminIn = perEnv((env) => {
  const database = databaseOf(env);
  const { settings, store: cached } = sessionsIn(env);
  const { byHand, idleSleep } = cleanupIn(env);
  const store = createSessionsStore(database, {
    timeoutMs: settings.timeoutMs,
    onEnded: cached.forgetAll,
  });
  const { allHandles, allTasks } = keptOn(database, keepsIn(env), settings, idleSleep);
  return {
    handles: allHandles && handlesEndpoint({ store: allHandles }),
    tasks: allTasks && tasksEndpoint({ store: allTasks }),
    sessions: sessionsEndpoint({ store: createAdminActivityStore(store, idleSleep.recordActivity) }),
    cleanup: cleanupEndpoint({
      store: byHand,
      runs: createRunsStore(database, settings),
      now: () => new Date(),
    }),
  };
});

/**
 * `/sessions`, `/sessions/:handle`, `/handles`, `/handles/:key`, `/tasks`, `/tasks/:key`, `/cleanup/runs` and `/cleanup/:tier`: `app.route("/operators", adminRoutes())`.
 * A guard of your own must set `principal`, whose name stands in the log: `c.set("principal", { name, label: name, scopes: ["admin"] })`.
 * @throws ConfigurationError at a request, while a variable is wrong.
 */
export function adminRoutes({ guard = requireKey("admin") }: GuardOption = {}): Hono<RoutesEnv> {
  return createRoutes(guard)
    .get(
      "/sessions",
      fromEnv((env) => adminIn(env).sessions.list),
    )
    .delete(
      "/sessions",
      fromEnv((env) => adminIn(env).sessions.endAll),
    )
    .delete(
      "/sessions/:handle",
      fromEnv((env) => adminIn(env).sessions.end),
    )
    .get(
      "/handles",
      fromEnv((env) => adminIn(env).handles?.list ?? nothing),
    )
    .delete(
      "/handles/:key",
      fromEnv((env) => adminIn(env).handles?.end ?? nothing),
    )
    .get(
      "/tasks",
      fromEnv((env) => adminIn(env).tasks?.list ?? nothing),
    )
    .delete(
      "/tasks/:key",
      fromEnv((env) => adminIn(env).tasks?.end ?? nothing),
    )
    .get(
      "/cleanup/runs",
      fromEnv((env) => adminIn(env).cleanup.list),
    )
    .post(
      "/cleanup/:tier",
      fromEnv((env) => adminIn(env).cleanup.run),
    );
}

const nothing = (): never => {
  throw new AppError("not_found");
};
