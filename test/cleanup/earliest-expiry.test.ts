// What a run says of the sessions that it leaves. Idle sleep relies on it: a time that is too late leaves sessions behind.
import { expect, test } from "vitest";
import { at, HOUR, storeOf } from "../support/cleanup.ts";
import { addSessions, createDatabase } from "../support/worker.ts";

const NEVER = new Date(8_640_000_000_000_000);
const soon = at(new Date(), HOUR);

test.each<[string, Record<string, Date | string | null>, Date]>([
  ["an empty table", {}, NEVER],
  ["sessions that never expire", { never: null, forever: "infinity" }, NEVER],
  ["one that expires after the last instant of a Date", { late: "294276-01-01 00:00:00+00" }, NEVER],
  ["several", { later: at(soon, HOUR), first: soon, never: null }, soon],
  ["what it has deleted", { old: at(soon, -2 * HOUR), first: soon }, soon],
])("of %s", async (_, sessions, earliest) => {
  const database = await createDatabase();
  await addSessions(database, sessions);
  const { earliestExpiry } = await storeOf(database).clean("regular", new Date());
  expect(earliestExpiry).toEqual(earliest);
});

test("a session that expires within a millisecond does not expire later by it", async () => {
  const database = await createDatabase();
  await addSessions(database, { first: "2099-01-01 00:00:00.123999+00" });
  const { earliestExpiry } = await storeOf(database).clean("regular", new Date());
  expect(earliestExpiry).toEqual(new Date("2099-01-01T00:00:00.123Z"));
});

test("what the immediate tier leaves because it is too young is the first", async () => {
  const database = await createDatabase();
  const young = at(new Date(), -HOUR / 2);
  await addSessions(database, { young, first: soon });
  expect((await storeOf(database).clean("immediate", new Date())).earliestExpiry).toEqual(young);
});

test("so is one that was just ended, and is kept for two minutes", async () => {
  const database = await createDatabase();
  await addSessions(database, { ended: at(new Date(), -1000), first: soon });
  await database.query("UPDATE mcp_sessions SET ended_at = expires_at WHERE session_id = 'session-ended'");
  const { earliestExpiry } = await storeOf(database).clean("regular", new Date());
  expect(earliestExpiry?.getTime()).toBeLessThan(soon.getTime() - HOUR / 2);
});

test("a run of several batches, one that has failed, and one that was skipped say nothing", async () => {
  const database = await createDatabase();
  await addSessions(database, { a: at(new Date(), -HOUR), b: at(new Date(), -HOUR), first: soon });
  const store = storeOf(database, { batchSize: 1, trigger: "cron" });
  const scheduled = new Date();
  expect(await store.clean("regular", scheduled)).toMatchObject({ deleted: 2, earliestExpiry: null });
  expect(await store.clean("regular", scheduled)).toMatchObject({ outcome: "skipped", earliestExpiry: null });
  await addSessions(database, { c: at(new Date(), -HOUR) });
  await database.query("REVOKE DELETE ON mcp_sessions FROM mcp");
  expect(await store.clean("regular", at(scheduled, 1))).toMatchObject({
    outcome: "failed",
    earliestExpiry: null,
  });
});
