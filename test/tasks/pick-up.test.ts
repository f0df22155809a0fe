// What a cron event does for tasks: when it looks for those that nobody runs, and what it records and says.
import { expect, test } from "vitest";
import type { IdleSleep } from "../../src/cleanup/idle-sleep.ts";
import type { Tier } from "../../src/cleanup/tiers.ts";
import type { DueTasks } from "../../src/tasks/due-store.ts";
import { createPickUp } from "../../src/tasks/pick-up.ts";
import { logged } from "../support/captured-logs.ts";

const AT = new Date("2026-11-25T05:00:00Z");
const NEVER = new Date(8_640_000_000_000_000);
const later = (ms: number) => new Date(AT.getTime() + ms);

/** A cron event of a tier, and all that it did, in order. */
async function event(
  found: Partial<DueTasks> | Error = {},
  wakesAt?: Record<Tier, Date>,
  tier: Tier = "regular",
) {
  const done: unknown[] = [];
  const here = { waitUntil: () => undefined, run: async () => "done" as const };
  const sleep: IdleSleep = {
    wakesAt: async () => wakesAt,
    recordRun: async (...run) => void done.push({ recorded: run }),
    recordActivity: () => Promise.reject(new Error("Nothing is added")),
  };
  const pickUp = createPickUp({
    store: {
      due: async (which) => {
        done.push({ asked: which });
        if (found instanceof Error) throw found;
        return { keys: [], lost: 0, nextDue: null, ...found };
      },
    },
    runner: {
      atOnce: 5,
      start: async (task, where) => void done.push({ started: task, isHere: where === here }),
    },
    sleep,
  });
  const failure = await pickUp(tier, AT, here).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { done, failure };
}

const asked = { asked: { limit: 5 } };

test("it looks for as many as it can start, records when it must look again, and starts them", async () => {
  const { done } = await event({ keys: ["a", "b"], lost: 1, nextDue: later(30_000) });
  expect(done).toEqual([
    asked,
    { recorded: [{ earliestExpiry: later(30_000) }, AT] },
    { started: { key: "a" }, isHere: true },
    { started: { key: "b" }, isHere: true },
  ]);
});

test("while nothing is at work it need not look again", async () => {
  expect((await event()).done).toEqual([asked, { recorded: [{ earliestExpiry: NEVER }, AT] }]);
});

test.each([
  ["it is not known when", undefined, true],
  ["that is now", { regular: AT, immediate: NEVER }, true],
  ["that was before", { regular: later(-1), immediate: NEVER }, true],
  ["that is a millisecond later", { regular: later(1), immediate: later(-1) }, false],
])("it looks when there can be work in its tier: %s", async (_, wakesAt, isAwake) => {
  expect((await event({}, wakesAt)).done.length > 0).toBe(isAwake);
});

test("each tier has its own sleep", async () => {
  const wakesAt = { regular: later(1), immediate: AT };
  expect((await event({}, wakesAt, "immediate")).done).toHaveLength(2);
});

test.each([
  [["a", "b"], 0],
  [[], 2],
  [["a"], 1],
])("it says what it has found: %j to start, %d lost", async (keys, lost) => {
  await event({ keys, lost }, undefined, "immediate");
  expect(logged("Tasks picked up")).toEqual([
    expect.objectContaining({ level: "INFO", tier: "immediate", started: keys.length, lost }),
  ]);
});

test("it says nothing of an event that has found nothing", async () => {
  await event();
  expect(logged()).toEqual([]);
});

test("it fails when it cannot look, says so, and starts and records nothing", async () => {
  const failure = new RangeError("down");
  expect(await event(failure)).toEqual({ done: [asked], failure });
  expect(logged()).toEqual([
    expect.objectContaining({
      level: "ERROR",
      message: "Tasks not picked up",
      tier: "regular",
      error: "RangeError",
    }),
  ]);
});
