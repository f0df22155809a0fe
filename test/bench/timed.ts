// How long something takes, in milliseconds, and several things in turns.
import type { Life } from "../../dev/shutdown.ts";

/** Milliseconds for each of `calls`, one after the other. */
export async function timed(life: Life, work: () => Promise<unknown>, calls: number): Promise<number> {
  life.asked.throwIfAborted();
  const startedAt = performance.now();
  for (let i = 0; i < calls; i++) await work();
  return (performance.now() - startedAt) / calls;
}
