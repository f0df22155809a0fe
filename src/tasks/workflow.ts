// A Cloudflare Workflow that runs one task. A step that fails, or whose Worker dies, is run again by the platform: the task's lease
// says whether it may.
import * as z from "zod";
import type { RunOutcome } from "./runner.ts";
import { LEASE_SECONDS } from "./store.ts";

/** What a Workflow may do, as Cloudflare passes it. */
export interface WorkflowSteps {
  do<T>(name: string, config: object, work: () => Promise<T>): Promise<T>;
  sleep(name: string, duration: number): Promise<void>;
}

// A database that is down for an hour: 10 + 20 + 40 + … seconds. What is longer is found by the next cron event.
const RETRIES = { limit: 9, delay: "10 seconds", backoff: "exponential" };
// The longest step that Cloudflare recommends ("Workflows, Limits").
const TIMEOUT = "30 minutes";
// A Workflow has 1024 steps. A lease that is still alive after so many belongs to work that goes on by itself.
const MAX_ROUNDS = 100;

const started = z.object({ task: z.string() });

/** @param run takes the task's lease and runs it. @throws what the last attempt of a step has thrown. */
export async function runInSteps(
  payload: unknown,
  steps: WorkflowSteps,
  run: (key: string) => Promise<RunOutcome>,
): Promise<void> {
  const { task } = started.parse(payload);
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const outcome = await steps.do(`run ${round}`, { retries: RETRIES, timeout: TIMEOUT }, () => run(task));
    if (outcome !== "busy") return;
    // Whoever has the lease may be dead: then the next round is the next attempt.
    await steps.sleep(`wait ${round}`, LEASE_SECONDS * 1000);
  }
}
