// When the database is asked for the numbers of the overview, and what is known when it cannot be.
import { afterEach, describe, expect, test, vi } from "vitest";
import { DatabaseFault } from "../../src/db/fault.ts";
import { createKnownOverview } from "../../src/page/known-overview.ts";
import type { Overview } from "../../src/page/overview-store.ts";

const HERE = "https://worker.test";
const MAX_AGE_SECONDS = 60;
const START_MS = Date.parse("2026-11-26T12:00:00Z");

afterEach(() => {
  vi.unstubAllGlobals();
});

const outage = new DatabaseFault("a test", {
  kind: "quota_exceeded",
  retryable: false,
  outcomeUnknown: false,
  answered: true,
});

const never = { lastRun: null, failuresInARow: 0, lastSuccessAt: null };

/** The numbers as they are counted for the nth time. */
const overviewOf = (total: number, takenAt: Date): Overview => ({
  census: {
    total,
    expired: 0,
    expiredAtLeast: 0,
    isOverdue: false,
    oldestExpiredAt: new Date("2026-11-26T11:00:00.123Z"),
    history: { regular: { ...never, lastSuccessAt: new Date("2026-11-26T10:00:00Z") }, immediate: never },
    mayHideRows: false,
    wakesAt: undefined,
    totals: { sessions_opened: 7 },
  },
  figures: { oldestActive: { lastActive: null, expiresAt: takenAt }, awakeSeconds: 12.5 },
  tookMs: 12,
  takenAt,
});

/** A Worker of a version of its own, which the cache has never seen. */
function worker({ maxAgeSeconds = MAX_AGE_SECONDS, versionId = `known & ${crypto.randomUUID()}` } = {}) {
  const state = {
    nowMs: START_MS,
    asked: 0,
    error: undefined as Error | undefined,
    overdues: [] as number[],
  };
  const known = createKnownOverview({
    store: {
      takeOverview(overdueSeconds) {
        state.overdues.push(overdueSeconds);
        state.asked += 1;
        if (state.error !== undefined) return Promise.reject(state.error);
        return Promise.resolve(overviewOf(state.asked, new Date(state.nowMs)));
      },
    },
    maxAgeSeconds,
    versionId,
    overdueSeconds: () => 7200,
    now: () => new Date(state.nowMs),
  });
  /** The number of the count that is shown, and how often the database was asked for it. */
  const look = async (mayAsk = true, origin = HERE) => {
    const before = state.asked;
    const { overview, fault } = await known.look(origin, mayAsk);
    return { shown: overview?.census.total, asked: state.asked - before, fault };
  };
  return { state, known, look, versionId };
}

/** As Cloudflare has it on a workers.dev address: nothing is kept. */
function withoutCache(answer = () => Promise.resolve()) {
  vi.stubGlobal("caches", { default: { match: answer, put: answer } });
}

describe.each([
  ["in Cloudflare's cache", () => {}],
  ["in the isolate, where there is no cache", () => withoutCache()],
])("what is kept %s", (_where, prepare) => {
  test("is nothing at first: who may not ask is told nothing, and who may does", async () => {
    prepare();
    const { state, look } = worker();
    expect(await look(false)).toEqual({ shown: undefined, asked: 0, fault: undefined });
    expect(await look()).toEqual({ shown: 1, asked: 1, fault: undefined });
    expect(state.overdues).toEqual([7200]);
  });

  test.each([
    [0, 0],
    [1, 0],
    [59_999, 0],
    [60_000, 1],
    [60_001, 1],
    // The clock was set back.
    [-1, 1],
    [-100_000, 1],
  ])("is shared for a minute: after %d ms %d questions are asked", async (ageMs, asked) => {
    prepare();
    const { state, look } = worker();
    await look();
    state.nowMs += ageMs;
    expect(await look()).toEqual({ shown: 1 + asked, asked, fault: undefined });
  });

  test("is shown to who may not ask, however old it is", async () => {
    prepare();
    const { state, look } = worker();
    await look();
    state.nowMs += 7_200_000;
    expect(await look(false)).toEqual({ shown: 1, asked: 0, fault: undefined });
  });

  test("is not shared where each look asks", async () => {
    prepare();
    const { look } = worker({ maxAgeSeconds: 0 });
    expect([(await look()).shown, (await look()).shown]).toEqual([1, 2]);
  });

  test("is shown in an outage with the fault, and each look asks again until it is over", async () => {
    prepare();
    const { state, look } = worker();
    await look();
    state.nowMs += 60_000;
    state.error = outage;
    expect(await look()).toEqual({ shown: 1, asked: 1, fault: outage });
    // Old or not.
    state.nowMs = START_MS + 1;
    expect(await look()).toEqual({ shown: 1, asked: 1, fault: outage });
    expect(await look(false)).toEqual({ shown: 1, asked: 0, fault: undefined });
    state.error = undefined;
    expect(await look()).toEqual({ shown: 4, asked: 1, fault: undefined });
    expect(await look()).toEqual({ shown: 4, asked: 0, fault: undefined });
  });

  test("is nothing in an outage before the first count", async () => {
    prepare();
    const { state, look } = worker();
    state.error = outage;
    expect(await look()).toEqual({ shown: undefined, asked: 1, fault: outage });
    expect(await look()).toEqual({ shown: undefined, asked: 1, fault: outage });
  });

  test("is asked for anew by who insists", async () => {
    prepare();
    const { state, known, look } = worker();
    await look();
    expect(await known.ask(HERE)).toEqual({
      overview: overviewOf(2, new Date(START_MS)),
      fault: undefined,
    });
    expect(await look()).toMatchObject({ shown: 2, asked: 0 });
    state.error = outage;
    expect(await known.ask(HERE)).toEqual({ overview: overviewOf(2, new Date(START_MS)), fault: outage });
  });

  test("has its numbers and moments as they were", async () => {
    prepare();
    const { known } = worker();
    await known.ask(HERE);
    expect((await known.look(HERE, false)).overview).toEqual(overviewOf(1, new Date(START_MS)));
  });

  test("is not asked for twice when something else than the database fails", async () => {
    prepare();
    const { state, known, look } = worker();
    await look();
    state.error = new TypeError("a mistake of ours");
    await expect(known.ask(HERE)).rejects.toBe(state.error);
    state.error = undefined;
    expect(await look()).toMatchObject({ shown: 1, asked: 0 });
  });
});

test("a cache that fails is none", async () => {
  withoutCache(() => Promise.reject(new Error("no cache")));
  const { look } = worker();
  expect(await look()).toEqual({ shown: 1, asked: 1, fault: undefined });
  expect(await look()).toEqual({ shown: 1, asked: 0, fault: undefined });
});

test("an isolate keeps the numbers of one origin, so that no caller can fill its memory", async () => {
  withoutCache();
  const { look } = worker();
  await look(true, "https://one.test");
  await look(true, "https://two.test");
  expect((await look(false, "https://two.test")).shown).toBe(2);
  expect((await look(false, "https://one.test")).shown).toBeUndefined();
});

test("the cache tells origins and versions apart, and keeps the numbers for a day", async () => {
  const { look, versionId } = worker();
  await look();
  expect((await look(false, "https://other.test")).shown).toBeUndefined();
  expect((await worker().look(false)).shown).toBeUndefined();
  // Another isolate of this version has them.
  expect((await worker({ versionId }).look(false)).shown).toBe(1);
  const kept = await caches.default.match(`${HERE}/admin?overview=${encodeURIComponent(versionId)}`);
  expect(kept?.headers.get("Cache-Control")).toBe("max-age=86400");
  await kept?.text();
});
