// Keeps an isolate from hammering a database that does not answer. Pure but for what it remembers: no promise is
// shared between requests, because on Workers a request that is cancelled never settles those it began, and others
// would wait for it for ever.
import { isOutage } from "./fault.ts";
import type { FaultKind } from "./fault-kinds.ts";

// As many failures in a row, and no success, are no blip.
const OPENS_AFTER = 5;
// Then one request in this time is let through to see. A crashed compute is back within seconds.
const PROBE_EVERY_MS = 2000;

export interface Breaker {
  /** The kind of the failure for which a request is kept back now; undefined lets it through. */
  refuses(): FaultKind | undefined;
  /** Notes how an attempt ended; undefined for a success. Says whether the circuit has opened or closed by it. */
  note(failure: FaultKind | undefined): "opened" | "closed" | undefined;
}

export function createBreaker(now: () => number): Breaker {
  let failures = 0;
  let probeAt = 0;
  let last: FaultKind = "database_unreachable";
  const isOpen = () => failures >= OPENS_AFTER;
  return {
    refuses() {
      if (!isOpen()) return undefined;
      if (now() < probeAt) return last;
      // This one is the probe; the next is due only a while later, also when this one never comes back.
      probeAt = now() + PROBE_EVERY_MS;
      return undefined;
    },
    note(failure) {
      const wasOpen = isOpen();
      if (failure === undefined || !isOutage(failure)) {
        failures = 0;
        return wasOpen ? "closed" : undefined;
      }
      failures += 1;
      last = failure;
      probeAt = now() + PROBE_EVERY_MS;
      return !wasOpen && isOpen() ? "opened" : undefined;
    },
  };
}
