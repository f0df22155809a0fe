// The regular cron, every second, whatever the database does.
import { setTimeout as sleep } from "node:timers/promises";
import { fireAt } from "../../../dev/crons.ts";

const REGULAR_CRON = "0 * * * *";
const EVERY_MS = 1000;
// Those that hang must not pile up.
const MAX_UNDER_WAY = 4;

export interface Cleanups {
  ok: number;
  failed: number;
  /** Awaits the runs in progress, then stops. */
  stop(): Promise<void>;
}

/** Whether one firing of the regular tier ended well. */
export async function fireRegular(url: string): Promise<boolean> {
  const fired = { cron: REGULAR_CRON, scheduledTimeMs: Date.now() };
  const outcome = await fireAt(url, fired, AbortSignal.timeout(60_000)).catch(() => "failed");
  return outcome === "ok";
}

export function startCleanups(url: string): Cleanups {
  const underWay = new Set<Promise<void>>();
  const stopping = new AbortController();
  const run = async () => {
    if (await fireRegular(url)) cleanups.ok += 1;
    else cleanups.failed += 1;
  };
  const loop = async () => {
    while (!stopping.signal.aborted) {
      if (underWay.size < MAX_UNDER_WAY) {
        const running = run().finally(() => underWay.delete(running));
        underWay.add(running);
      }
      await sleep(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const looping = loop();
  const cleanups: Cleanups = {
    ok: 0,
    failed: 0,
    async stop() {
      stopping.abort();
      await looping;
      await Promise.all(underWay);
    },
  };
  return cleanups;
}
