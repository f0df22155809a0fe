// The events of tasks by themselves, for a Worker with an app of its own.
import type * as z from "zod";
import type { ServerDefinition } from "../mcp/context.ts";
import { ConfigurationError } from "../settings.ts";
import { consume, type TaskMessage } from "../tasks/consumer.ts";
import { TASKS_ARE_OFF } from "../tasks/runner.ts";
import { serverParts } from "./server-parts.ts";
import type { RunsTasks } from "./task-workflow.ts";

type Waiting = Parameters<RunsTasks["runTask"]>[2];

export interface TaskEvents extends RunsTasks {
  /** The `queue` handler: the consumer of the Queue of tasks. */
  queue: (batch: { messages: readonly TaskMessage[] }, env: object, context: Waiting) => Promise<void>;
}

/** Runs the tasks of `server`, which `mcpRoutes` has taken. @throws ConfigurationError at an event, while a variable is wrong. */
export function taskEvents<Shape extends z.ZodRawShape>(server: ServerDefinition<Shape>): TaskEvents {
  const partsIn = serverParts(server);
  const runTask: RunsTasks["runTask"] = async (key, env, context) => {
    const { tasks } = partsIn(env);
    if (tasks === undefined) throw new ConfigurationError({ MCP_TASKS: TASKS_ARE_OFF });
    return tasks.run(key, { waitUntil: (promise) => context.waitUntil(promise) });
  };
  return {
    runTask,
    queue: ({ messages }, env, context) => consume(messages, (key) => runTask(key, env, context)),
  };
}
