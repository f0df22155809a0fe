// A cron event that is delivered again. It has nothing to do only when a run of it has done everything.
import { expect, test } from "vitest";
import { addExpired, at, storeOf } from "../support/cleanup.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const scheduled = new Date(Date.now() - 60_000);

/** Adds the record of a run that has ended. */
const addRun = ({ query }: TestDatabase, { tier, trigger, outcome, time }: Record<string, string | Date>) =>
  query(
    `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, error_code)
     VALUES ($1, $2, $3, now(), now(), now(), $4, CASE WHEN $4 IN ('failed', 'skipped') THEN 'busy' END)`,
    [tier, trigger, time instanceof Date ? time.toISOString() : time, outcome],
  );

const ofEvent = { tier: "regular", trigger: "cron", outcome: "completed", time: scheduled };

test("the event of a run that has completed is a duplicate", async () => {
  const database = await createDatabase();
  await addExpired(database, 3);
  await addRun(database, ofEvent);
  const report = await storeOf(database, { trigger: "cron" }).clean("regular", scheduled);
  expect(report).toMatchObject({ outcome: "skipped", errorCode: "duplicate", deleted: 0 });
});

test.each([
  ["was partial", { outcome: "partial" }],
  ["has failed", { outcome: "failed" }],
  ["was skipped", { outcome: "skipped" }],
  ["was of the other tier", { tier: "immediate" }],
  ["was started by an operator", { trigger: "manual" }],
  ["was of an event a millisecond before", { time: at(scheduled, -1) }],
  ["was of an event a millisecond later", { time: at(scheduled, 1) }],
])("the event of a run that %s is none", async (_, over) => {
  const database = await createDatabase();
  await addExpired(database, 3);
  await addRun(database, { ...ofEvent, ...over });
  const report = await storeOf(database, { trigger: "cron" }).clean("regular", scheduled);
  expect(report).toMatchObject({ outcome: "completed", deleted: 3 });
});

test("an operator's run at the very time of an event is none either", async () => {
  const database = await createDatabase();
  await addExpired(database, 3);
  await addRun(database, ofEvent);
  expect(await storeOf(database).clean("regular", scheduled)).toMatchObject({
    outcome: "completed",
    deleted: 3,
  });
});

test("an event whose run was partial goes on where it stopped, until nothing is left", async () => {
  const database = await createDatabase();
  await addExpired(database, 5000);
  const event = { trigger: "cron", batchSize: 1 } as const;
  const first = await storeOf(database, { ...event, timeBudgetMs: 100 }).clean("regular", scheduled);
  expect(first.outcome).toBe("partial");
  const second = await storeOf(database, { ...event, batchSize: 1000 }).clean("regular", scheduled);
  expect(second).toMatchObject({ outcome: "completed", deleted: 5000 - first.deleted });
  const third = await storeOf(database, event).clean("regular", scheduled);
  expect(third).toMatchObject({ outcome: "skipped", errorCode: "duplicate" });
});
