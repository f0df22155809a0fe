// Both doors, HTTP and cron, for any server definition. A wrong configuration opens neither.
import type { ExecutionContext } from "hono";
import type * as z from "zod";
import { createApp } from "./app.ts";
import { logCleanupFailure } from "./cleanup/clean.ts";
import { handleCron } from "./cron.ts";
import { createDeps } from "./deps.ts";
import { readConfig } from "./env.ts";
import { AppError, errorResponse } from "./http/errors.ts";
import { configureLog, logOf } from "./log.ts";
import type { ServerDefinition } from "./mcp/context.ts";
import { createServerFactory } from "./mcp/server-factory.ts";
import { ConfigurationError } from "./settings.ts";

const log = logOf("config", {
  warning: {
    "Unknown variable": {
      meaning:
        "A variable looks like one of ours and is not. `nearest` is the one that was probably meant. Logged when an isolate starts.",
      fields: ["variable", "nearest"],
    },
  },
  error: {
    "The configuration is wrong": {
      meaning: "Every request gets 500. `variables` names each wrong variable and what it must be.",
      fields: ["kind", "variables", "request_id"],
    },
  },
});

/** A Worker with the routes and the cron events of this project, and `server` behind `/mcp`. */
export function createWorker<Shape extends z.ZodRawShape>(server: ServerDefinition<Shape>) {
  // Cloudflare passes one `env` for the life of an isolate.
  const opened = new WeakMap<object, ReturnType<typeof open>>();

  function open(env: object) {
    const { log: logConfig, server: serverEnv, ...config } = readConfig(env, server.variables);
    configureLog(logConfig);
    for (const { name, nearest } of config.unknownVariables) {
      log.warning("Unknown variable", { variable: name, nearest });
    }
    const deps = createDeps(config);
    const app = createApp({
      ...deps,
      serverName: server.title ?? server.name,
      createServer: createServerFactory(server, serverEnv),
    });
    return { app, cleanup: config.cleanup, deps };
  }

  function doorsOf(env: object): ReturnType<typeof open> {
    const doors = opened.get(env) ?? open(env);
    opened.set(env, doors);
    return doors;
  }

  return {
    async fetch(request: Request, env: object, context: ExecutionContext): Promise<Response> {
      try {
        return await doorsOf(env).app.fetch(request, env, context);
      } catch (error) {
        const requestId = crypto.randomUUID();
        log.error("The configuration is wrong", { ...causeOf(error), request_id: requestId });
        return errorResponse(new AppError("configuration_invalid"), requestId);
      }
    },
    async scheduled(event: { cron: string; scheduledTime: number }, env: object): Promise<void> {
      try {
        const { cleanup, deps } = doorsOf(env);
        await handleCron(event, cleanup, deps.cleanups, deps.idleSleep);
      } catch (error) {
        if (error instanceof ConfigurationError) logCleanupFailure({ ...causeOf(error), cron: event.cron });
        throw error;
      }
    },
  };
}

/** Which variables are wrong, after the log has been configured to say so. @throws any other error again. */
function causeOf(error: unknown) {
  if (!(error instanceof ConfigurationError)) throw error;
  configureLog({ level: "info", format: "json" });
  return { kind: "configuration_invalid", variables: error.problems };
}
