// A session that was ended is kept for two minutes, whatever way a run takes.
import { expect, test } from "vitest";
import { addExpired, at, HOUR, storeOf } from "../support/cleanup.ts";
import { addSessions, createDatabase, remaining, type TestDatabase } from "../support/worker.ts";

/** Adds sessions that have been expired and ended for so many seconds. */
async function addEnded(database: TestDatabase, seconds: Record<string, number>): Promise<void> {
  for (const [name, age] of Object.entries(seconds)) {
    await addSessions(database, { [name]: at(new Date(), -age * 1000) });
    await database.query(
      "UPDATE mcp_sessions SET ended_at = expires_at, end_reason = 'client' WHERE session_id = $1",
      [`session-${name}`],
    );
  }
}

// A slow machine ages the first of them by as much as it likes, up to a minute.
const ages = { "a-minute-ago": 60, "two-minutes-ago": 120, "an-hour-ago": 3600 };

test("one batch keeps those of the last two minutes, and deletes the others", async () => {
  const database = await createDatabase();
  await addEnded(database, ages);
  await addSessions(database, { expired: at(new Date(), -1000), live: at(new Date(), HOUR) });
  expect(await storeOf(database).clean("regular", new Date())).toMatchObject({
    outcome: "completed",
    deleted: 3,
  });
  expect(await remaining(database)).toEqual(["a-minute-ago", "live"]);
});

test("so does a run that deletes one session after the other, because one is blocked", async () => {
  const database = await createDatabase();
  await addEnded(database, ages);
  await addExpired(database, 10);
  await database.query("CREATE TABLE tool_calls (session_id text REFERENCES mcp_sessions)");
  await database.query("INSERT INTO tool_calls VALUES ('expired-5')");
  expect(await storeOf(database).clean("regular", new Date())).toMatchObject({ deleted: 11, blocked: 1 });
  expect(await remaining(database)).toEqual(["expired-5", "a-minute-ago"]);
});

test("a blocked session that was ended meanwhile is kept, too, and stays on the list", async () => {
  const database = await createDatabase();
  await addSessions(database, { a: at(new Date(), -HOUR) });
  await database.query("CREATE TABLE tool_calls (session_id text REFERENCES mcp_sessions)");
  await database.query("INSERT INTO tool_calls VALUES ('session-a')");
  await storeOf(database).clean("regular", new Date());
  await database.query("DROP TABLE tool_calls");
  await database.query("UPDATE mcp_sessions SET ended_at = now()");
  expect(await storeOf(database).clean("regular", new Date())).toMatchObject({ deleted: 0, blocked: 1 });
  expect(await remaining(database)).toEqual(["a"]);
  await database.query("UPDATE mcp_sessions SET ended_at = now() - interval '2 minutes'");
  expect(await storeOf(database).clean("regular", new Date())).toMatchObject({ deleted: 1, blocked: 0 });
});
