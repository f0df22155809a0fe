// Who runs tasks. A task is durable before anybody is asked to run it, so a runner may forget: whoever finds the task due asks again.
import { errorName, logOf } from "../log.ts";
import type { StartedTask, TaskBindings } from "./settings.ts";
import { nameOfTask } from "./task.ts";

/** `busy`: somebody else has the lease. `over`: there is nothing to run any more, or nothing yet. */
export type RunOutcome = "done" | "busy" | "over";

/** What MCP_TASKS must be where tasks arrive. */
export const TASKS_ARE_OFF = "must be true while tasks arrive";

/** The event that a task is started from. */
export interface TaskHere {
  /** Keeps the Worker running for a promise, for 30 s after the response of a request (Cloudflare, "Context API"). */
  waitUntil: (promise: Promise<unknown>) => void;
  /** Takes the task's lease and runs it. @throws DatabaseFault */
  run: (key: string) => Promise<RunOutcome>;
}

export interface TaskRunner {
  /** How many tasks one event may start. */
  readonly atOnce: number;
  /** Sees to it that the task is run soon, at least once if nothing fails. Does not wait for it, and does not throw. */
  start(task: { key: string }, here: TaskHere): Promise<void>;
}

const log = logOf("tasks", {
  warning: {
    "Task not started": {
      meaning:
        "The Queue or the Workflow did not take the task, or the database failed before it began. It is started again when its client asks for it, or by a cron event.",
      fields: ["task", "error"],
    },
  },
});

// One message or one instance each. A free plan has 50 subrequests for an event, and the event's own statements need some.
const AT_ONCE_ELSEWHERE = 40;
// Each works in this event, with statements and subrequests of its own; a Worker has six connections at a time.
const AT_ONCE_HERE = 5;

/** In the event itself, and what of the task lasts longer is taken up again by another one. */
export const inRequest: TaskRunner = {
  atOnce: AT_ONCE_HERE,
  async start({ key }, { run, waitUntil }) {
    waitUntil(started(key, () => run(key)));
  },
};

const elsewhere = (ask: (message: StartedTask) => Promise<unknown>): TaskRunner => ({
  atOnce: AT_ONCE_ELSEWHERE,
  start: ({ key }) => started(key, () => ask({ task: key })),
});

/** The Workflow where one is bound, else the Queue, else the event itself. */
export function createRunner({ queue, workflow }: TaskBindings): TaskRunner {
  if (workflow !== undefined) return elsewhere((params) => workflow.create({ params }));
  return queue === undefined ? inRequest : elsewhere((message) => queue.send(message));
}

async function started(key: string, start: () => Promise<unknown>): Promise<void> {
  try {
    await start();
  } catch (error) {
    log.warning("Task not started", { task: nameOfTask(key), error: errorName(error) });
  }
}
