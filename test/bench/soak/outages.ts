// PostgreSQL dies without a word and comes back, again and again.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { BenchDatabase } from "../system.ts";

/** By performance.now(). */
export interface Outage {
  startedAt: number;
  /** When PostgreSQL accepted connections again, and the circuit breaker had the time to notice. */
  endedAt: number;
}

// As long as nobody restarts it.
const DOWN_MS = 500;
// A circuit that is open lets one request through in 2 s.
const NOTICED_MS = 2500;
// Processes that have not yet noticed the end of their postmaster hold its shared memory.
const START_ATTEMPTS = 20;

/** Kills PostgreSQL with SIGKILL and starts it again. */
export async function killAndRestart({ postgres, cluster }: BenchDatabase): Promise<Outage> {
  const pid = Number(readFileSync(join(cluster, "postmaster.pid"), "utf8").split("\n")[0]);
  const startedAt = performance.now();
  process.kill(pid, "SIGKILL");
  await sleep(DOWN_MS);
  for (let attempt = 1; ; attempt++) {
    try {
      await postgres.start();
      return { startedAt, endedAt: performance.now() + NOTICED_MS };
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
      await sleep(100);
    }
  }
}

/** Spreads `kills` evenly over a run: each when its share of it is `done` (0 to 1). */
export async function runOutages(
  database: BenchDatabase,
  { kills, done, stopped }: { kills: number; done: () => number; stopped: AbortSignal },
  outages: Outage[],
): Promise<void> {
  for (let kill = 0; kill < kills; kill++) {
    while (done() < (kill + 0.5) / kills) {
      if (stopped.aborted) return;
      await sleep(50);
    }
    if (stopped.aborted) return;
    outages.push(await killAndRestart(database));
  }
}
