// What a month costs at list prices, without what a plan includes: 1M sessions, each an `initialize` and 20 calls, over the whole month.
import { AGENT, INTERVAL, MEMORY, OWN } from "./field.ts";

// US$, as of 2026-11-26: developers.cloudflare.com/workers/platform/pricing, neon.com/pricing (Launch).
const REQUEST = 0.3e-6;
const CPU_MS = 0.02e-6;
const OBJECT_REQUEST = 0.15e-6;
const OBJECT_SECOND = 0.128 * 12.5e-6;
const OBJECT_GB_MONTH = 0.2;
const CU_HOUR = 0.106;
const NEON_GB_MONTH = 0.35;

const SESSIONS = 1e6;
const CALLS = 20 * SESSIONS;
// The smallest compute, and awake all the time: there are eight requests a second.
const NEON = 0.25 * 730 * CU_HOUR;

export interface Cost {
  openCpuMs: number;
  callCpuMs: number;
  openMs: number;
  callMs: number;
  storedBytes: number;
}

/** @returns US$, or why it cannot be said. */
export function monthOf(peer: string, cost: Cost): string {
  const { openCpuMs, callCpuMs, openMs, callMs, storedBytes } = cost;
  const requests = SESSIONS + CALLS;
  const worker = requests * REQUEST + (SESSIONS * openCpuMs + CALLS * callCpuMs) * CPU_MS;
  // A session is deleted after a day.
  const table = ((SESSIONS / 30) * storedBytes * NEON_GB_MONTH) / 1e9;
  if (peer === OWN || peer === INTERVAL) return (worker + NEON + table).toFixed(2);
  if (peer === MEMORY) return `${worker.toFixed(2)}, and loses sessions`;
  if (peer !== AGENT) return "a server of one's own";
  // The least that it can be: one request of the object for each of the Worker, no second beyond the request, no row written, and
  // no processor time of the Worker. Nothing deletes a session: the first month has half of them on average.
  const objects = requests * OBJECT_REQUEST + ((SESSIONS * openMs + CALLS * callMs) / 1000) * OBJECT_SECOND;
  const disk = ((SESSIONS / 2) * storedBytes * OBJECT_GB_MONTH) / 1e9;
  return `at least ${(requests * REQUEST + objects + disk).toFixed(2)}`;
}
