// What a month costs at list prices, without what a plan includes: 1M sessions, each an `initialize` and 20 calls, over the whole month.
import { AGENT, INTERVAL, MEMORY, OWN } from "./field.ts";

// US$, as of 2026-11-26: developers.cloudflare.com/workers/platform/pricing, neon.com/pricing (Launch).
const REQUEST = 0.3e-6;
const CPU_MS = 0.02e-6;
const OBJECT_REQUEST = 0.15e-6;
const OBJECT_SECOND = 0.128 * 12.5e-6;
const CU_HOUR = 0.106;

const SESSIONS = 1e6;
const CALLS = 20 * SESSIONS;
// The smallest compute, and awake all the time: there are eight requests a second.
const NEON = 0.25 * 730 * CU_HOUR;

export interface Cost {
  openCpuMs: number;
  callCpuMs: number;
  openMs: number;
  callMs: number;
}

/** @returns US$, or why it cannot be said. */
export function monthOf(peer: string, { openCpuMs, callCpuMs, openMs, callMs }: Cost): string {
  const worker = (SESSIONS + CALLS) * REQUEST + (SESSIONS * openCpuMs + CALLS * callCpuMs) * CPU_MS;
  // One request of the object for each of the Worker, and no second of it beyond the request: both are the least that it can be.
  const objects =
    (SESSIONS + CALLS) * OBJECT_REQUEST + ((SESSIONS * openMs + CALLS * callMs) / 1000) * OBJECT_SECOND;
  if (peer === OWN || peer === INTERVAL) return (worker + NEON).toFixed(2);
  if (peer === AGENT) return `at least ${(worker + objects).toFixed(2)}`;
  if (peer === MEMORY) return `${worker.toFixed(2)}, and loses sessions`;
  return "a server of one's own";
}
