// The circuit breaker: keeps an isolate from hammering a database that does not answer. Requests share no promise here: on
// Workers a cancelled request never settles its promises, and others would wait for ever.
import { type FaultKind, isOutage } from "./fault.ts";

// So many failures in a row are an outage.
const OPENS_AFTER = 5;
// Then one request in this time goes through as a probe. A crashed compute is back within seconds.
const PROBE_EVERY_MS = 2000;

export interface Breaker {
  /** The kind of failure for which a request is refused now; undefined lets it through. */
  refuses(): FaultKind | undefined;
  /** Records how an attempt ended; undefined for a success. Says whether the circuit has opened or closed by it. */
  record(failure: FaultKind | undefined): "opened" | "closed" | undefined;
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
      // This one is the probe. The next one is due a while later, even if this one never comes back.
      probeAt = now() + PROBE_EVERY_MS;
      return undefined;
    },
    record(failure) {
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
