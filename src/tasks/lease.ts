// Holds the lease of a task while its work goes on. Who renews it also learns that the task was cancelled, or taken by another.
import { DatabaseFault } from "../db/fault.ts";

/** How often a lease is renewed, in milliseconds. Work that ends before costs no statement; a cancellation is noticed as late. */
export const RENEWAL_MS = 5000;

export interface HeldLease {
  /** Aborted when the work is no longer wanted here. */
  signal: AbortSignal;
  /** To be called when the work has ended. */
  release: () => void;
}

/**
 * @param renew false: the lease is lost, or the task has ended. While the database cannot be asked the work goes on: whether its
 *   result still counts is decided when it is written.
 */
export function holdLease(renew: () => Promise<boolean>): HeldLease {
  const working = new AbortController();
  let isReleased = false;
  let timer: ReturnType<typeof setTimeout>;
  const look = async () => {
    const isMine = await renew().catch(heldWhenDown);
    if (isReleased) return;
    if (isMine) later();
    else working.abort();
  };
  const later = () => (timer = setTimeout(() => void look(), RENEWAL_MS));
  later();
  return {
    signal: working.signal,
    release() {
      isReleased = true;
      clearTimeout(timer);
    },
  };
}

function heldWhenDown(error: unknown): true {
  if (!(error instanceof DatabaseFault)) throw error;
  return true;
}
