// The doors. A configuration that is wrong opens neither.
import { createApp } from "./app.ts";
import { handleCron } from "./cron.ts";
import { createDeps } from "./deps.ts";
import { ConfigurationError, readConfig } from "./env.ts";
import { AppError, errorResponse } from "./errors.ts";
import { configureLog, logOf } from "./log.ts";

/** Both doors of an environment. Cloudflare passes one `env` for the life of an isolate. */
const doors = new WeakMap<Env, ReturnType<typeof open>>();

function open(env: Env) {
  const { log, cleanup, ...config } = readConfig(env);
  configureLog(log);
  const deps = createDeps({ cleanup, ...config });
  return { app: createApp(deps), cleanup, cleanups: deps.cleanups, sleep: deps.sleep };
}

function doorsOf(env: Env): ReturnType<typeof open> {
  const opened = doors.get(env) ?? open(env);
  doors.set(env, opened);
  return opened;
}

/** Logs which variables are wrong. Anything but a ConfigurationError goes on up. */
function logConfiguration(error: unknown, message: string, more: object): void {
  if (!(error instanceof ConfigurationError)) throw error;
  configureLog({ level: "info", format: "json" });
  logOf("config").error(message, { kind: "configuration_invalid", variables: error.problems, ...more });
}

export default {
  async fetch(request, env, context) {
    try {
      return await doorsOf(env).app.fetch(request, env, context);
    } catch (error) {
      const requestId = crypto.randomUUID();
      logConfiguration(error, "The configuration is wrong", { request_id: requestId });
      return errorResponse(new AppError("configuration_invalid"), requestId);
    }
  },
  async scheduled(event, env) {
    try {
      const { cleanup, cleanups, sleep } = doorsOf(env);
      await handleCron(event, cleanup, cleanups, sleep);
    } catch (error) {
      if (error instanceof ConfigurationError)
        logConfiguration(error, "session_cleanup_task_failed", { cron: event.cron });
      throw error;
    }
  },
} satisfies ExportedHandler<Env>;
