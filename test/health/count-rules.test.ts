// The rules of the counts, one by one. What holds whatever happens stands in counts.test.ts.
import { expect, test } from "vitest";
import { heldOpen } from "../support/locks.ts";
import { addTrigger, setForRole } from "../support/owner.ts";
import { NO_MERGE } from "../support/session-changes.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const HOUR_AGO = "now() - interval '1 hour'";
const insert = (key: string, expiresAt = HOUR_AGO) =>
  `INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('${key}', ${expiresAt})`;
const census = async ({ query }: TestDatabase, overdueSeconds = 0) =>
  (
    await query(
      `SELECT total::int, expired::int, expired_at_least::int, is_overdue, oldest_expired IS NULL AS none
         FROM mcp_count_sessions($1)`,
      [overdueSeconds],
    )
  )[0];
const changes = async ({ query }: TestDatabase) =>
  (await query("SELECT change::int FROM mcp_session_changes ORDER BY change")).map(({ change }) => change);
const recount = async ({ query }: TestDatabase) =>
  (await query("SELECT mcp_recount_sessions()::int AS error"))[0]?.["error"];
/** Inserts a session that no trigger sees. */
const unseen = (key: string) =>
  `ALTER TABLE mcp_sessions DISABLE TRIGGER USER; ${insert(key)}; ALTER TABLE mcp_sessions ENABLE TRIGGER USER`;
const inOneTransaction = ({ query }: TestDatabase, statements: string) =>
  query(`DO $do$ BEGIN ${statements}; END $do$`);

test("a session that expires at this instant is expired, and overdue when nothing may be", async () => {
  const database = await createDatabase();
  await database.query("CREATE TABLE seen (census text)");
  await inOneTransaction(
    database,
    `${insert("then", "now()")}; ${insert("after", "now() + interval '1 microsecond'")};
     INSERT INTO seen SELECT format('%s %s %s %s', c.expired, c.expired_at_least, c.is_overdue, c.oldest_expired = now())
       FROM mcp_count_sessions(0) c`,
  );
  expect(await database.query("SELECT census FROM seen")).toEqual([{ census: "1 1 t t" }]);
});

test("cleanup is overdue when the oldest session has been expired for as many seconds as may be", async () => {
  const database = await createDatabase();
  await database.query(insert("k", "now() - interval '90 seconds'"));
  expect(await census(database, 85)).toMatchObject({ is_overdue: true });
  expect(await census(database, 3600)).toMatchObject({ is_overdue: false });
});

test("rows of a child table are neither counted, nor expired, nor overdue, nor found missing", async () => {
  const database = await createDatabase();
  await database.query("CREATE TABLE archive () INHERITS (mcp_sessions)");
  await database.query(`INSERT INTO archive (session_id, expires_at) VALUES ('a', ${HOUR_AGO})`);
  const nothing = { total: 0, expired: 0, expired_at_least: 0, is_overdue: false, none: true };
  expect(await census(database)).toEqual(nothing);
  expect(await recount(database)).toBe(0);
});

test("what cannot be deleted is not overdue, and not the oldest; what can be is, beside it", async () => {
  const database = await createDatabase();
  await database.query(insert("kept", "now() - interval '3 hours'"));
  await database.query("INSERT INTO mcp_cleanup_blocked (session_id, reason) VALUES ('kept', '23503')");
  expect(await census(database, 60)).toMatchObject({ is_overdue: false, none: true, expired: 1 });
  await database.query(insert("young"));
  expect(await census(database, 60)).toMatchObject({ is_overdue: true, none: false, expired: 2 });
  expect(await census(database, 7200)).toMatchObject({ is_overdue: false });
  expect(
    await database.query(
      "SELECT oldest_expired = (SELECT expires_at FROM mcp_sessions WHERE session_id = 'young') AS young FROM mcp_count_sessions(0)",
    ),
  ).toEqual([{ young: true }]);
});

test("merging makes one row of many, keeps a single one, and makes none of none", async () => {
  const database = await createDatabase();
  await database.query("SELECT mcp_merge_session_changes()");
  expect(await changes(database)).toEqual([]);
  for (const key of ["a", "b", "c"]) {
    await database.query(insert(key));
    await database.query("SELECT mcp_merge_session_changes()");
  }
  expect(await changes(database)).toEqual([3]);
  await database.query("SELECT mcp_merge_session_changes()");
  expect(await changes(database)).toEqual([3]);
});

test("merging in the transaction that changes the number keeps the number", async () => {
  const database = await createDatabase();
  const merge = "PERFORM mcp_merge_session_changes()";
  await inOneTransaction(
    database,
    `${insert("a")}; ${merge}; ${insert("b")}; ${merge}; ${insert("c")}; DELETE FROM mcp_sessions WHERE session_id = 'a'; ${merge}`,
  );
  expect(await census(database)).toMatchObject({ total: 2 });
  expect(await changes(database)).toEqual([2]);
});

test("merging in the middle of a delete, by a trigger of the owner, leaves the delete countable", async () => {
  const database = await createDatabase();
  await addTrigger(database, "DELETE", "PERFORM mcp_merge_session_changes()");
  for (const key of ["a", "b", "c"]) await database.query(insert(key, "NULL"));
  await database.query("DELETE FROM mcp_sessions WHERE session_id <> 'c'");
  expect(await census(database)).toMatchObject({ total: 1 });
  expect(await recount(database)).toBe(0);
});

test("a delete of no session leaves no row that a merge would have to leave", async () => {
  const database = await createDatabase();
  await database.query(insert("a"));
  await database.query("DELETE FROM mcp_sessions WHERE false");
  await database.query("SELECT mcp_merge_session_changes()");
  expect(await changes(database)).toEqual([1]);
});

test("counting again corrects the number once, and writes nothing when it is right", async () => {
  const database = await createDatabase();
  await inOneTransaction(database, unseen("a"));
  expect(await recount(database)).toBe(1);
  expect(await changes(database)).toEqual([1]);
  expect(await recount(database)).toBe(0);
  expect(await changes(database)).toEqual([1]);
});

test("counting again in a transaction that has counted before has a row of its own", async () => {
  const database = await createDatabase();
  await inOneTransaction(
    database,
    `${NO_MERGE}; ${insert("a")}; ${insert("b")}; ${unseen("c")}; PERFORM mcp_recount_sessions()`,
  );
  expect(await changes(database)).toEqual([1, 1, 1]);
});

test("a second count waits for the first, so that an error is corrected once", async () => {
  const database = await createDatabase();
  await inOneTransaction(database, unseen("a"));
  const first = await heldOpen(database, "SELECT mcp_recount_sessions()");
  const second = recount(database);
  await first.waitedFor();
  await first.release();
  expect(await second).toBe(0);
  expect(await changes(database)).toEqual([1]);
});

test.each(["RAISE EXCEPTION 'no'", "ASSERT false"])(
  "a session is inserted and deleted, uncounted, when counting fails with %s",
  async (failure) => {
    const database = await createDatabase();
    await addTrigger(database, "INSERT", failure, "mcp_session_changes");
    await database.query(insert("a"));
    await database.query(insert("b"));
    await database.query("DELETE FROM mcp_sessions WHERE session_id = 'a'");
    expect(await database.query("SELECT session_id FROM mcp_sessions")).toEqual([{ session_id: "b" }]);
    expect(await changes(database)).toEqual([]);
  },
);

test("an insert of no session, and one into another table with the same trigger, count nothing", async () => {
  const database = await createDatabase();
  await database.query("INSERT INTO mcp_sessions (session_id) SELECT 'a' WHERE false");
  await database.query("CREATE TABLE other (LIKE mcp_sessions)");
  await database.query(
    `CREATE TRIGGER counted AFTER INSERT ON other REFERENCING NEW TABLE AS inserted
       FOR EACH STATEMENT EXECUTE FUNCTION mcp_count_session_rows()`,
  );
  await database.query("INSERT INTO other (session_id) VALUES ('b')");
  expect(await changes(database)).toEqual([]);
});

test("a session that a delete inserts, by a trigger of the owner, counts", async () => {
  const database = await createDatabase();
  await database.query(insert("a", "NULL"));
  await addTrigger(
    database,
    "DELETE",
    "INSERT INTO mcp_sessions (session_id) VALUES (OLD.session_id || '+')",
  );
  await database.query("DELETE FROM mcp_sessions WHERE session_id = 'a'");
  expect(await database.query("SELECT session_id FROM mcp_sessions")).toEqual([{ session_id: "a+" }]);
  expect(await census(database)).toMatchObject({ total: 1 });
  expect(await recount(database)).toBe(0);
});

const many = (count: number, prefix: string) =>
  `FOR i IN 1..${count} LOOP INSERT INTO mcp_sessions (session_id) VALUES ('${prefix}' || i); END LOOP`;

test("an insert leaves the changes of others alone, but for one in a thousand", async () => {
  const database = await createDatabase();
  const left: number[] = [];
  for (const prefix of ["a", "b", "c"]) {
    await inOneTransaction(database, many(100, prefix));
    left.push((await changes(database)).length);
  }
  // The last of a hundred may have merged them.
  expect(Math.max(...left)).toBeGreaterThan(1);
});

test("no insert merges changes in an isolation level in which merging could fail", async () => {
  const database = await createDatabase();
  await setForRole(database, "default_transaction_isolation TO 'repeatable read'");
  await inOneTransaction(database, many(20_000, "s"));
  const [changed] = await database.query("SELECT count(*)::int AS rows FROM mcp_session_changes");
  // Not 20,000: two inserts of one transaction may draw the same number, and share a row. A merge would leave a few thousand.
  expect(changed?.["rows"]).toBeGreaterThan(19_900);
});
