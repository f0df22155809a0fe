// A session store with a cache. It serves a session that it has found for a while without asking the database, and tells
// what it knows of one while the database cannot be asked. Ending a session here ends both at once. An isolate elsewhere goes
// on serving it from its own cache for the rest of its interval.
import { LRUCache } from "lru-cache";
import type { Session } from "./session.ts";
import type { SessionStore } from "./store.ts";

// A few hundred bytes each: some megabytes of an isolate's 128.
const MAX_CACHED = 10_000;

export interface CachedSessionStore extends SessionStore {
  /** What the cache has of a session, without asking; `ended` when it was ended here. */
  recall: (key: string, principal: string) => Session | "ended" | undefined;
  /** Forgets the sessions of a principal: somebody else has ended some of them. */
  forgetAll: (principal: string) => void;
}

/** With an interval of 0 every request asks. A session is served from the cache until it expires, at most. */
export function createCachedStore(
  store: SessionStore,
  { intervalSeconds, now }: { intervalSeconds: number; now: () => Date },
): CachedSessionStore {
  const found = new LRUCache<string, { session: Session; until: number }>({ max: MAX_CACHED });
  const ended = new LRUCache<string, string>({ max: MAX_CACHED });
  // A validation that is in flight while a session is ended must not put it back into the cache.
  let endings = 0;
  const forget = (principal: string, isMeant: (key: string) => boolean): string[] => {
    endings += 1;
    const known = [...found.entries()].filter(
      ([key, { session }]) => session.principal === principal && isMeant(key),
    );
    for (const [key] of known) found.delete(key);
    return known.map(([key]) => key);
  };
  return {
    ...store,

    async open(session) {
      const evicted = await store.open(session);
      // The store does not say which ones.
      if (evicted > 0) forget(session.principal, () => true);
      return evicted;
    },

    async resume(key, principal) {
      const entry = found.get(key);
      if (entry?.session.principal === principal && entry.until > now().getTime()) return entry.session;
      const endingsBefore = endings;
      const session = await store.resume(key, principal);
      if (session === undefined) {
        if (entry?.session.principal === principal) found.delete(key);
      } else if (endings === endingsBefore) {
        const until = Math.min(now().getTime() + intervalSeconds * 1000, expiryOf(session));
        found.set(key, { session, until });
      }
      return session;
    },

    async end(key, principal) {
      const isEnded = await store.end(key, principal);
      forget(principal, (other) => other === key);
      if (isEnded) ended.set(key, principal);
      return isEnded;
    },

    async endOthers(principal, exceptKey) {
      const count = await store.endOthers(principal, exceptKey);
      for (const key of forget(principal, (other) => other !== exceptKey)) ended.set(key, principal);
      return count;
    },

    async setLogLevel(session, level) {
      await store.setLogLevel(session, level);
      forget(session.principal, (key) => key === session.key);
    },

    forgetAll: (principal) => void forget(principal, () => true),

    recall(key, principal) {
      if (ended.has(key)) return "ended";
      const session = found.peek(key)?.session;
      if (session?.principal !== principal) return undefined;
      // After that it may have been touched elsewhere.
      return expiryOf(session) > now().getTime() ? session : undefined;
    },
  };
}

const expiryOf = ({ expiresAt }: Session) => expiresAt?.getTime() ?? Infinity;
