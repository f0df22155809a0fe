// What operators see of handles and tasks, where they are switched on.
import {
  createHandlesStore,
  createTasksStore,
  type HandlesStore,
  type TasksStore,
} from "../admin/kept-store.ts";
import type { IdleSleep } from "../cleanup/idle-sleep.ts";
import type { Database } from "../db/client.ts";
import { handleSettings } from "../handles/settings.ts";
import type { Keeps } from "../health/kept.ts";
import { createKeptActivityStore } from "../session/activity-store.ts";
import { readSettings } from "../settings.ts";
import { taskSettings } from "../tasks/settings.ts";

export interface AllKept {
  /** Undefined: there are no handles. */
  allHandles: HandlesStore | undefined;
  /** Undefined: there are no tasks. */
  allTasks: TasksStore | undefined;
}

export const keptOn = (
  database: Database,
  { handles, tasks }: Keeps,
  options: { timeoutMs: number },
  { recordActivity }: Pick<IdleSleep, "recordActivity">,
): AllKept => ({
  allHandles: handles
    ? createKeptActivityStore(createHandlesStore(database, options), recordActivity)
    : undefined,
  allTasks: tasks ? createKeptActivityStore(createTasksStore(database, options), recordActivity) : undefined,
});

/** @throws ConfigurationError */
export const keepsIn = (env: object): Keeps => ({
  handles: readSettings(handleSettings, env).handles !== undefined,
  tasks: readSettings(taskSettings, env).tasks !== undefined,
});
