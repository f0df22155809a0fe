// Where a run and another program wait for each other, it is the run that gives way, before PostgreSQL ends one of the two.
import { expect, test } from "vitest";
import { addExpired, poll, slowDown, storeOf } from "../support/cleanup.ts";
import { holdDeletions, lockSessions, waiting } from "../support/locks.ts";
import { disconnect } from "../support/owner.ts";
import { asSuperuser, createDatabase, nameOf, remaining } from "../support/worker.ts";

// Holds a row that a deletion cascades to. When the run waits for it, it wants a session that the run has locked.
const OTHER_PROGRAM = `DO $$
BEGIN
  UPDATE tool_calls SET n = 1;
  WHILE NOT EXISTS (SELECT FROM pg_locks l WHERE NOT l.granted AND pg_backend_pid() = ANY (pg_blocking_pids(l.pid))) LOOP
    PERFORM pg_sleep(0.005);
  END LOOP;
  UPDATE mcp_sessions SET last_active = now() WHERE session_id = 'expired-7';
END
$$`;

test.each(["1s", "150ms"])("when PostgreSQL looks for deadlocks after %s", async (deadlockTimeout) => {
  const database = await createDatabase();
  const { query } = database;
  const name = nameOf(database.url);
  await asSuperuser(
    `ALTER ROLE mcp IN DATABASE ${name} SET deadlock_timeout = '${deadlockTimeout}'`,
    database,
  );
  await disconnect(database);
  await addExpired(database, 20);
  await query("CREATE TABLE tool_calls (session_id text REFERENCES mcp_sessions ON DELETE CASCADE, n int)");
  await query("INSERT INTO tool_calls VALUES ('expired-7', 0)");

  const other = query(OTHER_PROGRAM);
  const isHeld =
    "SELECT 1 FROM pg_locks WHERE relation = 'tool_calls'::regclass AND mode = 'RowExclusiveLock'";
  await expect.poll(() => query(isHeld)).toHaveLength(1);
  const report = await storeOf(database).clean("regular", new Date());
  await other;

  expect(report).toMatchObject({ outcome: "completed", errorCode: null });
  expect(report.deleted + report.blocked).toBeGreaterThanOrEqual(19);
  // The statistics of a backend come when it is idle.
  await query("SELECT pg_stat_force_next_flush()");
  expect(
    await query("SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()"),
  ).toEqual([{ deadlocks: 0 }]);
  expect(await storeOf(database).clean("regular", new Date())).toMatchObject({ blocked: 0 });
  expect(await query("SELECT 1 FROM mcp_sessions")).toEqual([]);
});

test("a batch that was slow is followed by smaller ones, so that a run holds its locks for a short time", async () => {
  const database = await createDatabase();
  await addExpired(database, 100);
  // The first batch takes 800 ms, and each of the others at most a third of that.
  await slowDown(database);
  const report = await storeOf(database, { batchSize: 40 }).clean("regular", new Date());
  expect(report).toMatchObject({ outcome: "completed", deleted: 100 });
  expect(report.batches).toBeGreaterThanOrEqual(6);
});

test("a batch that fails, and whose table another program locks at that moment, is gone through later", async () => {
  const database = await createDatabase();
  await addExpired(database, 20);
  await database.query(
    "CREATE TABLE failing (session_id text REFERENCES mcp_sessions DEFERRABLE INITIALLY DEFERRED)",
  );
  await database.query("INSERT INTO failing VALUES ('expired-3')");
  // Held by what is deleted with it: a trigger of mcp_sessions itself has constraints checked earlier.
  await database.query("CREATE TABLE held (session_id text REFERENCES mcp_sessions ON DELETE CASCADE)");
  await database.query("INSERT INTO held VALUES ('expired-5')");
  const deletion = await holdDeletions(database);
  await database.query("DROP TRIGGER held ON mcp_sessions");
  await database.query("CREATE TRIGGER held BEFORE DELETE ON held FOR EACH ROW EXECUTE FUNCTION be_held()");
  const run = storeOf(database, { batchSize: 10 }).clean("regular", new Date());
  await deletion.waitedFor();
  // It waits for the batch, and has the table as soon as the batch is undone.
  const locked = lockSessions(database);
  await waiting(database, 1);
  await deletion.release();
  const lock = await locked;
  // It has given up what it does after a failure, and waits with the batch after that.
  const waitFor = (condition: string) =>
    poll(() =>
      database.query(
        `SELECT waitstart::text FROM pg_locks WHERE NOT granted AND relation = 'mcp_sessions'::regclass AND ${condition}`,
      ),
    );
  const { waitstart } = await waitFor("waitstart IS NOT NULL");
  await waitFor(`waitstart > '${String(waitstart)}'`);
  await lock.release();
  expect(await run).toMatchObject({ outcome: "completed", deleted: 19, blocked: 1 });
  expect(await remaining(database)).toEqual(["expired-3"]);
});
