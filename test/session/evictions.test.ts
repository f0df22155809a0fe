// An opening at the limit, while sessions are used: the limit holds, and the least recently used ones go.
import { expect, test } from "vitest";
import { heldOpen } from "../support/locks.ts";
import { addIdle, fill, live, storesOf } from "../support/stores.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

/** Uses a session, as the last one, in a transaction that stays open. */
const useOpen = (database: TestDatabase, key: string, minutesAgo: number) =>
  heldOpen(
    database,
    `UPDATE mcp_sessions SET last_active = now() - interval '${minutesAgo} minutes' WHERE session_id = '${key}' RETURNING 1`,
  );

test("a session that is used while it is being evicted is spared, and the next one is evicted in its place", async () => {
  const database = await createDatabase();
  const { open } = storesOf(database, 2);
  await addIdle(database, "a", "b");
  const use = await useOpen(database, "a", 1);
  const opening = open("alice");
  await use.waitedFor();
  await use.release();
  expect(await opening).toBe(1);
  expect(await live(database, "alice")).toEqual(["a", "new-1"]);
});

test("a session that ends while it is being evicted is neither evicted nor replaced", async () => {
  const database = await createDatabase();
  const { open } = storesOf(database, 2);
  await addIdle(database, "a", "b");
  const ending = await heldOpen(
    database,
    "UPDATE mcp_sessions SET ended_at = now(), expires_at = now(), end_reason = 'client' WHERE session_id = 'a' RETURNING 1",
  );
  const opening = open("alice");
  await ending.waitedFor();
  await ending.release();
  expect(await opening).toBe(0);
  expect(await live(database, "alice")).toEqual(["b", "new-1"]);
  expect(await database.query("SELECT FROM mcp_sessions WHERE end_reason = 'evicted'")).toEqual([]);
});

test("a session of which no use is known is evicted first", async () => {
  const database = await createDatabase();
  const { open } = storesOf(database, 2);
  await addIdle(database, "a", "b");
  await database.query("UPDATE mcp_sessions SET last_active = NULL WHERE session_id = 'b'");
  expect(await open("alice")).toBe(1);
  expect(await live(database, "alice")).toEqual(["a", "new-1"]);
});

test("a session of which no use was known is spared when it is used meanwhile", async () => {
  const database = await createDatabase();
  const { open } = storesOf(database, 2);
  await addIdle(database, "a", "b");
  await database.query("UPDATE mcp_sessions SET last_active = NULL");
  const use = await useOpen(database, "b", 1);
  const opening = open("alice");
  await use.waitedFor();
  await use.release();
  expect(await opening).toBe(1);
  expect(await live(database, "alice")).toEqual(["b", "new-1"]);
});

test("the limit holds, also when each session is used while it is being evicted", async () => {
  const database = await createDatabase();
  const { open } = storesOf(database, 3);
  await addIdle(database, "a", "b", "c");
  const uses = [
    await useOpen(database, "a", 30),
    await useOpen(database, "b", 20),
    await useOpen(database, "c", 10),
  ];
  const opening = open("alice");
  for (const use of uses) {
    await use.waitedFor();
    await use.release();
  }
  expect(await opening).toBe(1);
  expect(await live(database, "alice")).toEqual(["a", "b", "new-1"]);
});

test("a lowered limit ends ten thousand with each further session, the least recently used ones first", async () => {
  const database = await createDatabase();
  const { open } = storesOf(database, 100);
  await fill(database, "alice", 10_150);
  await database.query(
    "UPDATE mcp_sessions SET last_active = now() - interval '1 day' WHERE session_id = ANY (ARRAY(SELECT session_id FROM mcp_sessions ORDER BY md5(session_id) LIMIT 100))",
  );
  expect(await open("alice")).toBe(10_000);
  expect(
    await database.query(
      "SELECT FROM mcp_sessions WHERE ended_at IS NULL AND last_active < now() - interval '20 hours'",
    ),
  ).toEqual([]);
  expect(await open("alice")).toBe(52);
  expect(await live(database, "alice")).toHaveLength(100);
});

test.each([
  ["has expired", "expires_at = now()"],
  ["has been ended", "ended_at = now()"],
  ["never expires, and so is another program's", "expires_at = NULL"],
  ["is of another principal", "principal = 'bob'"],
])("a session that %s does not count towards the limit, however recently it was used", async (_, change) => {
  const database = await createDatabase();
  const { open } = storesOf(database, 3);
  await addIdle(database, "a", "b", "c", "d");
  await database.query(
    `UPDATE mcp_sessions SET last_active = now() - interval '1 second', ${change} WHERE session_id IN ('c', 'd')`,
  );
  expect(await open("alice")).toBe(0);
  const rows = await database.query("SELECT session_id FROM mcp_sessions WHERE end_reason IS NOT NULL");
  expect(rows).toEqual([]);
});

test.each([
  ["expires", "expires_at = now() - interval '1 second'"],
  ["is ended by another program, which leaves its expiry,", "ended_at = now()"],
])("a session that %s while it is being evicted is neither evicted nor replaced", async (_, change) => {
  const database = await createDatabase();
  const { open } = storesOf(database, 2);
  await addIdle(database, "a", "b");
  const dying = await heldOpen(
    database,
    `UPDATE mcp_sessions SET ${change} WHERE session_id = 'a' RETURNING 1`,
  );
  const opening = open("alice");
  await dying.waitedFor();
  await dying.release();
  expect(await opening).toBe(0);
  expect(await database.query("SELECT session_id FROM mcp_sessions WHERE end_reason IS NOT NULL")).toEqual(
    [],
  );
});

test("the session that is opened is never the one that goes, also when others say they were used in the future", async () => {
  const database = await createDatabase();
  const { open } = storesOf(database, 2);
  await addIdle(database, "a", "b");
  await database.query("UPDATE mcp_sessions SET last_active = now() + interval '1 day'");
  await database.query(
    "UPDATE mcp_sessions SET last_active = now() + interval '2 days' WHERE session_id = 'b'",
  );
  expect(await open("alice")).toBe(1);
  expect(await live(database, "alice")).toEqual(["b", "new-1"]);
});
