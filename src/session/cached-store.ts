// A session store with a cache. It serves a session that it has found for a while without asking the database, and tells
// what it knows of one while the database cannot be asked. Ending a session here ends both at once. An isolate elsewhere goes
// on serving it from its own cache for the rest of its interval. Who needs neither has no cache.
import { LRUCache } from "lru-cache";
import type { Session } from "./session.ts";
import type { SessionStore } from "./store.ts";

const MAX_CACHED = 10_000;

/** What the sessions of a cache may take together, of an isolate's 128 MB. A usual session takes under a kilobyte. */
export const MAX_CACHED_BYTES = 8 * 1024 * 1024;

// What an entry takes beside its texts: times, objects, and its places in the maps.
const ENTRY_BYTES = 512;
// At most: V8 keeps a text of Latin letters in one byte each.
const BYTES_PER_CHARACTER = 2;

export interface CachedSessionStore extends SessionStore {
  /** What the cache has of a session, without asking; `ended` when it was ended here. */
  recall: (key: string, principal: string) => Session | "ended" | undefined;
  /** Forgets the sessions of a principal: somebody else has ended some of them. */
  forgetAll: (principal: string) => void;
}

/** A session whose client's data is a text: objects take many times as much, and each request gets its own. */
interface Entry {
  session: Omit<Session, "clientInfo" | "capabilities">;
  clientData: string;
  until: number;
}

export interface CacheOptions {
  /** How long a session is served without asking; with 0 every request asks. Until it expires, at most. */
  intervalSeconds: number;
  /** Whether sessions are recalled while the database cannot be asked. */
  canRecall?: boolean;
  now: () => Date;
}

export function createCachedStore(
  store: SessionStore,
  { intervalSeconds, canRecall = true, now }: CacheOptions,
): CachedSessionStore {
  if (intervalSeconds === 0 && !canRecall) {
    return { ...store, recall: () => undefined, forgetAll: () => {} };
  }
  // The keys of `found` by principal.
  const owned = new Map<string, Set<string>>();
  const found = new LRUCache<string, Entry>({
    max: MAX_CACHED,
    maxSize: MAX_CACHED_BYTES,
    sizeCalculation: sizeOf,
    dispose: ({ session: { principal } }, key) => {
      const keys = owned.get(principal);
      keys?.delete(key);
      if (keys?.size === 0) owned.delete(principal);
    },
  });
  // Some 150 bytes each, so under two megabytes.
  const ended = new LRUCache<string, true>({ max: MAX_CACHED });
  // A validation that is in flight while a session is ended must not put it back into the cache.
  let endings = 0;

  const remember = (key: string, { clientInfo, capabilities, ...session }: Session) => {
    const until = Math.min(now().getTime() + intervalSeconds * 1000, expiryOf(session));
    found.set(key, { session, clientData: JSON.stringify({ clientInfo, capabilities }), until });
    // What is larger than the whole cache is not kept.
    if (!found.has(key)) return;
    const keys = owned.get(session.principal) ?? new Set();
    owned.set(session.principal, keys.add(key));
  };
  const entryOf = (key: string, principal: string) => {
    const entry = found.peek(key);
    return entry?.session.principal === principal ? entry : undefined;
  };
  const forget = (key: string, principal: string) => {
    endings += 1;
    if (entryOf(key, principal) !== undefined) found.delete(key);
  };
  const forgetOwned = (principal: string, exceptKey?: string): string[] => {
    endings += 1;
    const keys = [...(owned.get(principal) ?? [])].filter((key) => key !== exceptKey);
    for (const key of keys) found.delete(key);
    return keys;
  };
  const markEnded = (key: string) => {
    if (canRecall) ended.set(key, true);
  };

  return {
    ...store,

    async open(session) {
      const evicted = await store.open(session);
      // The store does not say which ones.
      if (evicted > 0) forgetOwned(session.principal);
      return evicted;
    },

    async resume(key, principal) {
      const entry = entryOf(key, principal);
      if (entry !== undefined && entry.until > now().getTime()) {
        // So that it is not the next one that is forgotten.
        found.get(key);
        return sessionOf(entry);
      }
      const endingsBefore = endings;
      const session = await store.resume(key, principal);
      if (session === undefined) {
        if (entryOf(key, principal) !== undefined) found.delete(key);
      } else if (endings === endingsBefore) {
        remember(key, session);
      }
      return session;
    },

    async end(key, principal) {
      const isEnded = await store.end(key, principal);
      forget(key, principal);
      if (isEnded) markEnded(key);
      return isEnded;
    },

    async endOthers(principal, exceptKey) {
      const count = await store.endOthers(principal, exceptKey);
      for (const key of forgetOwned(principal, exceptKey)) markEnded(key);
      return count;
    },

    async setLogLevel(session, level) {
      await store.setLogLevel(session, level);
      forget(session.key, session.principal);
    },

    forgetAll: (principal) => void forgetOwned(principal),

    recall(key, principal) {
      if (ended.has(key)) return "ended";
      const entry = entryOf(key, principal);
      // After that it may have been touched elsewhere.
      return entry !== undefined && expiryOf(entry.session) > now().getTime() ? sessionOf(entry) : undefined;
    },
  };
}

const expiryOf = ({ expiresAt }: Pick<Session, "expiresAt">) => expiresAt?.getTime() ?? Infinity;

const sessionOf = ({ session, clientData }: Entry): Session => ({ ...session, ...JSON.parse(clientData) });

function sizeOf({ session, clientData }: Entry): number {
  const { key, principal, protocolVersion, logLevel } = session;
  const texts = [key, principal, protocolVersion, logLevel ?? "", clientData];
  return ENTRY_BYTES + BYTES_PER_CHARACTER * texts.reduce((sum, { length }) => sum + length, 0);
}
