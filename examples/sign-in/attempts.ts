// How often one address may do something in a minute. Cloudflare counts, for each of its locations; without its
// binding each isolate counts by itself.

/** Whether the address may, once more. */
export type Allow = (address: string) => Promise<boolean>;

const PERIOD_MS = 60_000;
// What an isolate remembers is bounded. An address that does not fit waits until the minute is over.
const MAX_ADDRESSES = 10_000;

export function createLimit(
  binding: RateLimit | undefined,
  limit: number,
  now: () => number = Date.now,
): Allow {
  if (binding !== undefined) return async (address) => (await binding.limit({ key: address })).success;
  const counts = new Map<string, number>();
  let since = now();
  return async (address) => {
    if (now() - since >= PERIOD_MS) {
      counts.clear();
      since = now();
    }
    const count = (counts.get(address) ?? 0) + 1;
    if (count === 1 && counts.size === MAX_ADDRESSES) return false;
    counts.set(address, count);
    return count <= limit;
  };
}
