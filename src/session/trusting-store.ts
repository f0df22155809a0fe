// A session store that trusts a session for a while after it has been validated, without asking the database.
// Ending a session here ends the trust here at once; an isolate elsewhere goes on for the rest of its interval.
import { LRUCache } from "lru-cache";
import type { Session } from "./session.ts";
import type { SessionStore } from "./store.ts";

// A few hundred bytes each: some megabytes of an isolate's 128.
const MAX_TRUSTED = 10_000;

/** `store` itself when the interval is 0. Trust ends with the session's own lifetime, if that is sooner. */
export function createTrustingStore(
  store: SessionStore,
  { intervalSeconds, now }: { intervalSeconds: number; now: () => Date },
): SessionStore {
  if (intervalSeconds === 0) return store;
  const trusted = new LRUCache<string, { session: Session; until: number }>({ max: MAX_TRUSTED });
  // Validations under way when a session is ended must not bring the trust back.
  let endings = 0;
  const distrust = (principal: string, exceptKey?: string) => {
    endings += 1;
    for (const [key, { session }] of trusted.entries()) {
      if (session.principal === principal && key !== exceptKey) trusted.delete(key);
    }
  };
  return {
    ...store,

    async open(session) {
      const evicted = await store.open(session);
      // Which ones, the store does not say.
      if (evicted > 0) distrust(session.principal);
      return evicted;
    },

    async resume(key, principal) {
      const entry = trusted.get(key);
      const isTrusted =
        entry !== undefined && entry.session.principal === principal && entry.until > now().getTime();
      if (isTrusted) return entry.session;
      const endingsBefore = endings;
      const session = await store.resume(key, principal);
      if (session !== undefined && endings === endingsBefore) {
        const until = Math.min(now().getTime() + intervalSeconds * 1000, session.expiresAt.getTime());
        trusted.set(key, { session, until });
      }
      return session;
    },

    async end(key, principal) {
      const isEnded = await store.end(key, principal);
      endings += 1;
      if (trusted.peek(key)?.session.principal === principal) trusted.delete(key);
      return isEnded;
    },

    async endOthers(principal, exceptKey) {
      const ended = await store.endOthers(principal, exceptKey);
      distrust(principal, exceptKey);
      return ended;
    },

    async setLogLevel(session, level) {
      await store.setLogLevel(session, level);
      trusted.delete(session.key);
    },
  };
}
