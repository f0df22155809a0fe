// How many wrong keys are heard. A right key is always taken, so nobody can lock an operator out.
import type { RateLimit } from "../session/settings.ts";
import type { PageContext } from "./guard.ts";

/** In each isolate, where there is no binding. As many log lines tell enough. */
const WRONG_KEYS = 30;
const WINDOW_MS = 60_000;

/** Whether one more wrong key is heard: it gets its reason and a line in the log. */
export type HearsWrongKey = (c: PageContext) => Promise<boolean>;

/** @param binding counts by address; undefined: this isolate counts, for all addresses together. */
export function createSignInLimit(binding: RateLimit | undefined, now: () => Date): HearsWrongKey {
  let windowEnds = 0;
  let heard = 0;
  return async (c) => {
    // IPv6 gives each customer 2^64 addresses: the first half is the customer.
    const address = c.req.header("CF-Connecting-IP") ?? "";
    if (binding !== undefined) return (await binding.limit({ key: customerOf(address) })).success;
    const at = now().getTime();
    if (at >= windowEnds) [windowEnds, heard] = [at + WINDOW_MS, 0];
    heard += 1;
    return heard <= WRONG_KEYS;
  };
}

const customerOf = (address: string) =>
  address.includes(":") ? address.split(":").slice(0, 4).join(":") : address;
