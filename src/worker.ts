// All doors, HTTP, cron, and that of tasks, for any server definition. A wrong configuration opens none.
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
import { createTaskRun } from "./mcp/task-run.ts";
import { ConfigurationError } from "./settings.ts";
import { consume, type TaskMessage } from "./tasks/consumer.ts";
import { type RunOutcome, TASKS_ARE_OFF } from "./tasks/runner.ts";

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

/** What keeps a Worker running: Cloudflare's context of an event has it. */
type Waiting = Pick<ExecutionContext, "waitUntil">;

/** A Worker with the routes and the events of this project, and `server` behind `/mcp`. */
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
    const createServer = createServerFactory(server, serverEnv);
    const { tasks } = deps;
    const run =
      tasks && createTaskRun({ ...deps, tokens: deps.authentication.tokens?.config, tasks, createServer });
    const app = createApp({
      ...deps,
      serverName: server.title ?? server.name,
      createServer,
      tasks: tasks && run && { ...tasks, run },
    });
    return { app, cleanup: config.cleanup, deps, run };
  }

  function doorsOf(env: object): ReturnType<typeof open> {
    const doors = opened.get(env) ?? open(env);
    opened.set(env, doors);
    return doors;
  }

  async function runTask(key: string, env: object, context: Waiting): Promise<RunOutcome> {
    try {
      const { run } = doorsOf(env);
      if (run === undefined) throw new ConfigurationError({ MCP_TASKS: TASKS_ARE_OFF });
      return await run(key, { waitUntil: (promise) => context.waitUntil(promise) });
    } catch (error) {
      log.error("The configuration is wrong", causeOf(error));
      throw error;
    }
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
    /** @param context without it tasks that are run in the event itself may be cut short. */
    async scheduled(
      event: { cron: string; scheduledTime: number },
      env: object,
      context: Waiting = { waitUntil: () => {} },
    ): Promise<void> {
      try {
        const { cleanup, deps } = doorsOf(env);
        const waitUntil = (promise: Promise<unknown>) => context.waitUntil(promise);
        const run = (key: string) => runTask(key, env, context);
        await handleCron(event, cleanup, deps.cleanups, deps.idleSleep, (tier, scheduledAt) =>
          deps.tasks?.pickUp(tier, scheduledAt, { waitUntil, run }),
        );
      } catch (error) {
        logCleanupFailure({ ...causeOf(error), cron: event.cron });
        throw error;
      }
    },
    /** The consumer of the Queue of tasks. */
    async queue(
      { messages }: { messages: readonly TaskMessage[] },
      env: object,
      context: Waiting,
    ): Promise<void> {
      await consume(messages, (key) => runTask(key, env, context));
    },
    /** Runs a task, for a Workflow. @throws ConfigurationError | DatabaseFault */
    runTask,
  };
}

/** Which variables are wrong, after the log has been configured to say so. @throws any other error again. */
function causeOf(error: unknown) {
  if (!(error instanceof ConfigurationError)) throw error;
  configureLog({ level: "info", format: "json" });
  return { kind: "configuration_invalid", variables: error.problems };
}
