// The cron door by itself, for a Worker with an app of its own.
import { handleCron } from "../cron.ts";
import { cleanupIn } from "./cleanup.ts";
import type { RunsTasks } from "./task-workflow.ts";
import { tasksIn } from "./tasks.ts";

/** A cron event, as Cloudflare passes it. */
export interface CronEvent {
  cron: string;
  /** In milliseconds. */
  scheduledTime: number;
}

/**
 * The `scheduled` handler: `export default { fetch: app.fetch, scheduled: scheduledCleanup() }`.
 * @param tasks what `taskEvents` has made: then it also takes up tasks that nobody runs, with MCP_TASKS.
 * @throws UnknownCron for a cron that no tier has, ConfigurationError, and what a run has failed with. Cloudflare then shows the
 *   event as failed.
 */
export function scheduledCleanup(
  tasks?: RunsTasks,
): (event: CronEvent, env: object, context?: Parameters<RunsTasks["runTask"]>[2]) => Promise<void> {
  return async function scheduled(event, env, context = { waitUntil: () => {} }) {
    const { settings, byCron, idleSleep } = cleanupIn(env);
    await handleCron(
      event,
      settings,
      byCron,
      idleSleep,
      (tier, scheduledAt) =>
        tasks &&
        tasksIn(env)?.pickUp(tier, scheduledAt, {
          waitUntil: (promise) => context.waitUntil(promise),
          run: (key) => tasks.runTask(key, env, context),
        }),
    );
  };
}
