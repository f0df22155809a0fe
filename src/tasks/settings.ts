import { defineSettings, flag, integer, optionalBinding } from "../settings.ts";

/** What a message of the Queue says, and what a Workflow gets. */
export interface StartedTask {
  /** Its key. */
  task: string;
}

/** The producer of a Cloudflare Queue. */
export interface TaskQueue {
  send(message: StartedTask): Promise<unknown>;
}

/** The binding of a Cloudflare Workflow. */
export interface TaskWorkflow {
  create(options: { params: StartedTask }): Promise<unknown>;
}

/** Where tasks are run, if not in the request. */
export interface TaskBindings {
  queue: TaskQueue | undefined;
  workflow: TaskWorkflow | undefined;
}

/** How calls become tasks. */
export interface TaskConfig {
  /** How long a task is kept, unless its tool says something else. */
  ttlSeconds: number;
  /** How long a client waits between two looks, unless its tool says something else. */
  pollMs: number;
  /** How many tasks a principal may have. */
  maxPerPrincipal: number;
  bindings: TaskBindings;
}

export interface TasksConfig {
  /** Undefined: no call becomes a task. */
  tasks: TaskConfig | undefined;
}

/** A task that takes longer than a week has another home. */
export const MAX_TASK_SECONDS = 604_800;
export const MIN_TASK_SECONDS = 60;

export const taskSettings = defineSettings({
  shape: {
    MCP_TASKS: flag({
      default: false,
      description:
        "Whether calls of tools can become tasks, for clients of 2026-07-28 that know them. [More](../tasks.md)",
    }),
    // A client that was closed for lunch still gets its result.
    MCP_TASK_TTL_SECONDS: integer({
      default: 3600,
      min: MIN_TASK_SECONDS,
      max: MAX_TASK_SECONDS,
      unit: "seconds",
      description: "How long a task and its result are kept when its tool does not say it, from the call on.",
    }),
    // One statement each.
    MCP_TASK_POLL_MS: integer({
      default: 1000,
      min: 100,
      max: 3_600_000,
      unit: "milliseconds",
      description:
        "How long a client is asked to wait before it looks at a task again, when its tool does not say it.",
    }),
    MCP_TASKS_PER_PRINCIPAL: integer({
      default: 1000,
      min: 1,
      max: 100_000,
      unit: "tasks",
      description:
        "How many tasks a principal may have. The oldest that has ended gives way to a new one. While none has ended, a new one is refused.",
    }),
    TASK_QUEUE: optionalBinding<TaskQueue>("send", {
      description:
        "Runs tasks that take up to 15 minutes. The Worker must be the consumer of the same Queue. [More](../task-runners.md)",
      form: "Queue",
    }),
    TASK_WORKFLOW: optionalBinding<TaskWorkflow>("create", {
      description:
        "Runs tasks that take longer. Its class is `TaskRun` of `src/index.ts`. [More](../task-runners.md)",
      form: "Workflow",
    }),
  },
  read: (values): TasksConfig => ({
    tasks: values.MCP_TASKS
      ? {
          ttlSeconds: values.MCP_TASK_TTL_SECONDS,
          pollMs: values.MCP_TASK_POLL_MS,
          maxPerPrincipal: values.MCP_TASKS_PER_PRINCIPAL,
          bindings: { queue: values.TASK_QUEUE, workflow: values.TASK_WORKFLOW },
        }
      : undefined,
  }),
});
