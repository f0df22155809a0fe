// Idle sleep excuses what nobody has deleted, for as long as it sleeps, and no longer.
import { expect, inject, test } from "vitest";
import { neverAsleep } from "../../src/cleanup/idle-sleep.ts";
import { connect } from "../../src/db/client.ts";
import { createHealthStore } from "../../src/health/store.ts";
import { at, HOUR } from "../support/cleanup.ts";
import { addSessions, createDatabase } from "../support/worker.ts";

const overdueSeconds = 7200;
const later = (time: Date, ms: number) => at(time, overdueSeconds * 1000 + ms);

/** Whether cleanup is overdue at a time, when each tier wakes as it is told and one session expired long ago. */
async function isOverdue(now: Date, wakes?: { regular: Date; immediate: Date }): Promise<boolean> {
  const database = await createDatabase();
  await addSessions(database, { old: at(new Date(), -3 * HOUR) });
  const connection = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  const store = createHealthStore(connection, {
    timeoutMs: 10_000,
    idleSleep: { ...neverAsleep, wakesAt: async () => wakes },
    now: () => now,
  });
  return (await store.takeCensus(overdueSeconds)).isOverdue;
}

const wakesAt = new Date("2026-11-25T12:00:00Z");
const asleep = { regular: wakesAt, immediate: wakesAt };

test.each([
  ["while it sleeps", at(wakesAt, -HOUR), false],
  ["when it wakes", wakesAt, false],
  ["a millisecond before two intervals after it woke", later(wakesAt, -1), false],
  ["two intervals after it woke", later(wakesAt, 0), true],
  ["a day after it woke", at(wakesAt, 24 * HOUR), true],
])("cleanup %s is overdue: %s → %s", async (_, now, expected) => {
  expect(await isOverdue(now, asleep)).toBe(expected);
});

test("the sleep of the immediate tier excuses nothing", async () => {
  expect(await isOverdue(later(wakesAt, 0), { regular: wakesAt, immediate: at(wakesAt, 24 * HOUR) })).toBe(
    true,
  );
});

test("nor does a sleep of which nothing is known", async () => {
  expect(await isOverdue(wakesAt)).toBe(true);
});
