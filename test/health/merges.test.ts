// The changes of the number of sessions are merged beside those that write them: nobody waits, and none is lost.
import { expect, test } from "vitest";
import { heldOpen } from "../support/locks.ts";
import { NO_MERGE } from "../support/session-changes.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

/** Runs PL/pgSQL that fails at once where it would wait for a lock. */
const withoutWaiting = ({ query }: TestDatabase, body: string) =>
  query(`DO $$ BEGIN PERFORM set_config('lock_timeout', '1ms', true); ${body} END $$`);

/** Each with a change of its own. */
const insertEach = ({ query }: TestDatabase, ...ids: string[]) =>
  query(
    `DO $$ BEGIN ${NO_MERGE}; ${ids.map((id) => `INSERT INTO mcp_sessions (session_id) VALUES ('${id}');`).join(" ")} END $$`,
  );

const counted = async ({ query }: TestDatabase) => {
  const [row] = await query(
    `SELECT (SELECT total::int FROM mcp_count_sessions(0)) AS total, count(*)::int AS changes,
            coalesce(sum(change), 0)::int AS sum FROM mcp_session_changes`,
  );
  return row;
};

const heldChange = (database: TestDatabase) =>
  heldOpen(database, "SELECT FROM mcp_session_changes ORDER BY change_number LIMIT 1 FOR UPDATE");

test("a merge leaves out what another one is merging, and waits for nothing", async () => {
  const database = await createDatabase();
  await insertEach(database, "a", "b", "c");
  expect(await counted(database)).toEqual({ total: 3, changes: 3, sum: 3 });
  const other = await heldChange(database);
  await withoutWaiting(database, "PERFORM mcp_merge_session_changes();");
  await other.release();
  expect(await counted(database)).toEqual({ total: 3, changes: 2, sum: 3 });
  await withoutWaiting(database, "PERFORM mcp_merge_session_changes();");
  expect(await counted(database)).toEqual({ total: 3, changes: 1, sum: 3 });
});

test("a merge takes as many as it is told", async () => {
  const database = await createDatabase();
  await insertEach(database, "a", "b", "c", "d");
  await database.query("SELECT mcp_merge_session_changes(3)");
  expect(await counted(database)).toEqual({ total: 4, changes: 2, sum: 4 });
});

test("so does the merge of one insert in a thousand, and every session counts", async () => {
  const database = await createDatabase();
  await database.query("INSERT INTO mcp_sessions (session_id) VALUES ('first')");
  const other = await heldChange(database);
  await withoutWaiting(
    database,
    "FOR i IN 1..20000 LOOP INSERT INTO mcp_sessions (session_id) VALUES ('s' || i); END LOOP;",
  );
  await other.release();
  const after = await counted(database);
  expect(after).toMatchObject({ total: 20_001, sum: 20_001 });
  expect(Number(after?.["changes"])).toBeLessThan(15_000);
});

test("a delete that is being counted is not merged away by what it brings about", async () => {
  const database = await createDatabase();
  await database.query("INSERT INTO mcp_sessions (session_id) SELECT i::text FROM generate_series(1, 10) i");
  await database.query(
    "CREATE FUNCTION merges() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM mcp_merge_session_changes(); RETURN OLD; END'",
  );
  await database.query(
    "CREATE TRIGGER merges BEFORE DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION merges()",
  );
  await database.query("DELETE FROM mcp_sessions WHERE session_id::int <= 4");
  expect(await counted(database)).toMatchObject({ total: 6, sum: 6 });
});
