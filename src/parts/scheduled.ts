// The cron door by itself, for a Worker with an app of its own.
import { handleCron } from "../cron.ts";
import { cleanupIn } from "./cleanup.ts";

/** A cron event, as Cloudflare passes it. */
export interface CronEvent {
  cron: string;
  /** In milliseconds. */
  scheduledTime: number;
}

/**
 * The `scheduled` handler: `export default { fetch: app.fetch, scheduled: scheduledCleanup() }`.
 * @throws UnknownCron for a cron that no tier has, ConfigurationError, and what a run has failed with. Cloudflare then shows the
 *   event as failed.
 */
export function scheduledCleanup(): (event: CronEvent, env: object) => Promise<void> {
  return async function scheduled(event, env) {
    const { settings, byCron, idleSleep } = cleanupIn(env);
    await handleCron(event, settings, byCron, idleSleep);
  };
}
