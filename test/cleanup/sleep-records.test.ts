// The records of idle sleep: when they are written, and what is made of one that cannot be read or written.
import { expect, test } from "vitest";
import { createIdleSleep } from "../../src/cleanup/idle-sleep.ts";
import type { Records } from "../../src/cleanup/settings.ts";
import { at } from "../support/cleanup.ts";

const start = new Date("2026-11-25T12:00:00Z");
const MINUTE = 60_000;
const report = {
  runId: 1,
  outcome: "completed",
  deleted: 0,
  batches: 0,
  errorCode: null,
  blocked: 0,
  blockedBy: null,
} as const;

/** Sleep over records in memory, which a test can see, break and mend. */
function sleepOver(kept: Record<string, string> = {}) {
  let time = start;
  let isBroken = false;
  const writes: string[] = [];
  const failing = () => Promise.reject(new Error("down"));
  const records: Records = {
    get: async (key) => (isBroken ? failing() : (kept[key] ?? null)),
    put: async (key, value) => {
      writes.push(key);
      if (isBroken) return failing();
      kept[key] = value;
      return undefined;
    },
  };
  const sleep = createIdleSleep(
    { records, maxSeconds: 86_400 },
    { versionId: "1", minAgeSeconds: { regular: 0, immediate: 3600 }, now: () => time },
  );
  return {
    sleep,
    kept,
    writes,
    setTime: (now: Date) => (time = now),
    setBroken: (is: boolean) => (isBroken = is),
  };
}

test("activity is recorded once in five minutes, for a minute more at both ends", async () => {
  const { sleep, kept, writes, setTime } = sleepOver();
  await sleep.recordActivity();
  setTime(at(start, 5 * MINUTE - 1));
  await sleep.recordActivity();
  expect(writes).toEqual(["activity"]);
  expect(JSON.parse(kept["activity"] ?? "")).toEqual({
    since: start.getTime() - MINUTE,
    until: start.getTime() + 6 * MINUTE,
  });
  setTime(at(start, 5 * MINUTE));
  await sleep.recordActivity();
  expect(writes).toEqual(["activity", "activity"]);
});

test("activity that could not be recorded is recorded by the next one", async () => {
  const { sleep, kept, writes, setBroken } = sleepOver();
  setBroken(true);
  await sleep.recordActivity();
  setBroken(false);
  await sleep.recordActivity();
  expect(writes).toEqual(["activity", "activity"]);
  expect(kept).toHaveProperty("activity");
});

test("a record that cannot be read may have said anything, so activity counts from the beginning", async () => {
  const { sleep, kept } = sleepOver({ activity: "{" });
  await sleep.recordActivity();
  expect(JSON.parse(kept["activity"] ?? "")).toMatchObject({ since: 0 });
});

test("a run that does not know what it leaves is not recorded, and what was recorded stays", async () => {
  const { sleep, kept, writes } = sleepOver();
  await sleep.recordRun({ ...report, earliestExpiry: at(start, MINUTE) }, start);
  const before = kept["last-run"];
  await sleep.recordRun({ ...report, earliestExpiry: null }, at(start, MINUTE));
  expect(writes).toEqual(["last-run"]);
  expect(kept["last-run"]).toBe(before);
});

test.each([
  ["no record", {}],
  ["a record of another version", { "last-run": '{"versionId":"2","ranAt":0,"earliestExpiry":9e15}' }],
  ["a record that is no JSON", { "last-run": "{" }],
  ["a record without a time", { "last-run": '{"versionId":"1","ranAt":0}' }],
  [
    "an activity that is no JSON",
    { "last-run": '{"versionId":"1","ranAt":0,"earliestExpiry":9e15}', activity: "?" },
  ],
])("with %s nothing is known", async (_, kept) => {
  expect(await sleepOver(kept).sleep.wakesAt()).toBeUndefined();
});

test("with a record each tier wakes at its own time", async () => {
  const earliestExpiry = at(start, 10 * MINUTE);
  const { sleep } = sleepOver();
  await sleep.recordRun({ ...report, earliestExpiry }, start);
  expect(await sleep.wakesAt()).toEqual({
    regular: earliestExpiry,
    immediate: at(earliestExpiry, 60 * MINUTE),
  });
});
