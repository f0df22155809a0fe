// Tasks, of an environment.
import { createIdleSleep, type IdleSleep } from "../cleanup/idle-sleep.ts";
import { type CleanupConfig, cleanupSettings } from "../cleanup/settings.ts";
import type { Database } from "../db/client.ts";
import { healthSettings, type Version } from "../health/settings.ts";
import type { TaskParts } from "../mcp/task-calls.ts";
import { createTaskActivityStore } from "../session/activity-store.ts";
import { sessionSettings } from "../session/settings.ts";
import { readSettings } from "../settings.ts";
import { createDueStore } from "../tasks/due-store.ts";
import { createPickUp, type PickUp } from "../tasks/pick-up.ts";
import { createRunner } from "../tasks/runner.ts";
import { type TasksConfig, taskSettings } from "../tasks/settings.ts";
import { createTaskStore } from "../tasks/store.ts";
import { cleanupIn } from "./cleanup.ts";
import { databaseOf } from "./database.ts";
import { perEnv } from "./per-env.ts";

export interface Tasks extends TaskParts {
  pickUp: PickUp;
}

interface Sleeping {
  /** Of the cleanup. */
  idleSleep: Pick<IdleSleep, "recordActivity">;
  cleanup: Pick<CleanupConfig, "idleSleep">;
  version: Version;
  now: () => Date;
}

/** Undefined: no call becomes a task. */
export function tasksOn(
  database: Database,
  { tasks, timeoutMs }: TasksConfig & { timeoutMs: number },
  { idleSleep, cleanup, version, now }: Sleeping,
): Tasks | undefined {
  if (tasks === undefined) return undefined;
  // A task is started as soon as it is due.
  const minAgeSeconds = { regular: 0, immediate: 0 };
  const sleep = createIdleSleep(cleanup.idleSleep, {
    versionId: version.id,
    minAgeSeconds,
    now,
    work: "tasks",
  });
  const due = createDueStore(database, { timeoutMs });
  const runner = createRunner(tasks.bindings);
  return {
    config: tasks,
    store: createTaskActivityStore(
      createTaskStore(database, { ...tasks, timeoutMs }),
      idleSleep.recordActivity,
      sleep.recordActivity,
    ),
    due,
    runner,
    pickUp: createPickUp({ store: due, runner, sleep }),
  };
}

/** @throws ConfigurationError */
export const tasksIn = perEnv((env) => {
  const { timeoutMs } = readSettings(sessionSettings, env);
  return tasksOn(
    databaseOf(env),
    { ...readSettings(taskSettings, env), timeoutMs },
    {
      idleSleep: cleanupIn(env).idleSleep,
      cleanup: readSettings(cleanupSettings, env),
      version: readSettings(healthSettings, env).version,
      now: () => new Date(),
    },
  );
});
