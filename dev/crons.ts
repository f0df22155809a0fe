// Fires cron triggers at the local Worker on their schedule, which `wrangler dev` does not. Like Cloudflare's they
// run in UTC, count weekdays from 1 = Sunday and may overlap. What a sleeping laptop missed is fired once, late.
import { Cron } from "croner";
import { Failure, reasonOf } from "./failure.ts";

export interface FiredCron {
  cron: string;
  scheduledTimeMs: number;
}

export interface CronsOptions {
  crons: readonly string[];
  /** One firing; a rejection is reported and changes nothing for the next one. */
  fire: (fired: FiredCron) => Promise<string>;
  log: (line: string) => void;
}

// A timer cannot be set for longer than 24.8 days, and does not count the time a laptop sleeps.
const MAX_WAIT_MS = 60_000;
// Cloudflare ends a run after 15 minutes.
const RUN_TIMEOUT_MS = 15 * 60_000;

/**
 * Starts the schedule; what it returns ends it.
 * @throws Failure when one of `crons` is not a cron expression of five fields
 */
export function startCrons({ crons, fire, log }: CronsOptions): () => void {
  const timers = new Map<string, NodeJS.Timeout>();
  const run = async (fired: FiredCron) => {
    const startedAt = performance.now();
    const outcome = await fire(fired).catch((error: unknown) => `failed: ${reasonOf(error)}`);
    const tookMs = Math.round(performance.now() - startedAt);
    const scheduledAt = new Date(fired.scheduledTimeMs).toISOString().slice(11, 16);
    log(`cron ${fired.cron} of ${scheduledAt} UTC: ${outcome} (${tookMs} ms)`);
  };
  for (const cron of crons) {
    const pattern = parsePattern(cron);
    const dueAfter = (timeMs: number) => pattern.nextRun(new Date(timeMs))?.getTime();
    const wait = (dueMs: number | undefined) => {
      if (dueMs === undefined) return;
      const tick = () => {
        if (Date.now() < dueMs) return wait(dueMs);
        void run({ cron, scheduledTimeMs: dueMs });
        wait(dueAfter(Date.now()));
      };
      timers.set(cron, setTimeout(tick, Math.min(dueMs - Date.now(), MAX_WAIT_MS)));
    };
    wait(dueAfter(Date.now()));
  }
  return () => {
    for (const timer of timers.values()) clearTimeout(timer);
  };
}

/** The address that runs the scheduled handler of a local Worker once. */
export function scheduledUrl(workerUrl: string, cron: string, scheduledTimeMs?: number): string {
  const query = new URLSearchParams({ cron, format: "json" });
  if (scheduledTimeMs !== undefined) query.set("time", String(scheduledTimeMs));
  // A slash may stand in a query as it is, and reads better.
  return `${workerUrl}/cdn-cgi/local/scheduled?${query.toString().replaceAll("%2F", "/")}`;
}

/** Runs the scheduled handler once and says how that ended, in a word or two. */
export async function fireAt(
  workerUrl: string,
  { cron, scheduledTimeMs }: FiredCron,
  asked: AbortSignal,
): Promise<string> {
  const signal = AbortSignal.any([asked, AbortSignal.timeout(RUN_TIMEOUT_MS)]);
  const response = await fetch(scheduledUrl(workerUrl, cron, scheduledTimeMs), { signal });
  const body = await response.text();
  const outcome = /"outcome":\s*"(\w+)"/.exec(body)?.[1];
  return outcome ?? `HTTP ${response.status}`;
}

function parsePattern(cron: string): Cron {
  try {
    return new Cron(cron, { timezone: "UTC", alternativeWeekdays: true, mode: "5-part" });
  } catch (error) {
    throw new Failure(`"${cron}" in wrangler.toml is not a cron expression: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
