// The numbers of the overview as they were last counted, shared by those who look within HEALTH_MAX_AGE_SECONDS, and kept for
// when the database cannot be asked. They stand in Cloudflare's cache, and in this isolate where that does nothing.
import { DatabaseFault } from "../db/fault.ts";
import type { Overview, OverviewStore } from "./overview-store.ts";

/** What is known. Without a fault the overview is as new as it must be, or nobody was asked. */
export interface Known {
  overview: Overview | undefined;
  /** Why the database could not be asked just now. */
  fault: DatabaseFault | undefined;
}

export interface KnownOverview {
  /** Asks the database when what is known is too old, and `mayAsk`. @param origin of the Worker. */
  look(origin: string, mayAsk: boolean): Promise<Known>;
  /** Asks in any case. */
  ask(origin: string): Promise<Known>;
}

export interface KnownOverviewOptions {
  store: OverviewStore;
  maxAgeSeconds: number;
  /** Another version may keep something else. */
  versionId: string;
  overdueSeconds: () => number;
  now: () => Date;
}

// Numbers of yesterday say little in an outage of today.
const KEPT_SECONDS = 86_400;

interface Kept {
  overview: Overview;
  /** After a failure the next look asks again. */
  isShared: boolean;
}

export function createKnownOverview(options: KnownOverviewOptions): KnownOverview {
  const { store, maxAgeSeconds, versionId, overdueSeconds, now } = options;
  const here = new Map<string, Kept>();
  const keyOf = (origin: string) => `${origin}/admin?overview=${encodeURIComponent(versionId)}`;

  async function read(origin: string): Promise<Kept | undefined> {
    const stored = await caches.default.match(keyOf(origin)).catch(() => undefined);
    return stored === undefined ? here.get(origin) : decoded(await stored.text());
  }

  async function keep(origin: string, kept: Kept): Promise<void> {
    // One host as a rule. A caller may send any, and must not fill the memory.
    here.clear();
    here.set(origin, kept);
    const headers = { "Cache-Control": `max-age=${KEPT_SECONDS}` };
    // What the cache does not keep is asked again.
    await caches.default.put(keyOf(origin), new Response(encoded(kept), { headers })).catch(() => undefined);
  }

  async function askNow(origin: string, last: Kept | undefined): Promise<Known> {
    try {
      const overview = await store.takeOverview(overdueSeconds());
      await keep(origin, { overview, isShared: true });
      return { overview, fault: undefined };
    } catch (error) {
      if (!(error instanceof DatabaseFault)) throw error;
      if (last !== undefined) await keep(origin, { ...last, isShared: false });
      return { overview: last?.overview, fault: error };
    }
  }

  return {
    async look(origin, mayAsk) {
      const last = await read(origin);
      const ageMs = now().getTime() - (last?.overview.takenAt.getTime() ?? 0);
      const isNew = last?.isShared === true && ageMs >= 0 && ageMs < maxAgeSeconds * 1000;
      return isNew || !mayAsk ? { overview: last?.overview, fault: undefined } : askNow(origin, last);
    },
    ask: async (origin) => askNow(origin, await read(origin)),
  };
}

/** JSON in which a moment stays one. */
function encoded(kept: Kept): string {
  return JSON.stringify(kept, function withMoments(this: Record<string, unknown>, key, value: unknown) {
    const own = this[key];
    return own instanceof Date ? { moment: own.getTime() } : value;
  });
}

function decoded(text: string): Kept {
  const read: unknown = JSON.parse(text, (_, value) => {
    const moment: unknown = Object(value).moment;
    return typeof moment === "number" ? new Date(moment) : value;
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `encoded` of this version has written it
  return read as Kept;
}
