// The rows in which the changes of the number of sessions are kept, one by one: those of a transaction, and no others.
import { beforeEach, describe, expect, test } from "vitest";
import { atOneInstant } from "../support/instant.ts";
import { heldOpen } from "../support/locks.ts";
import { addTrigger } from "../support/owner.ts";
import { totalsOf } from "../support/rows.ts";
import { SEED_FOR } from "../support/session-changes.ts";
import { asWorkerRole, createDatabase, type TestDatabase } from "../support/worker.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
  await database.query("DELETE FROM mcp_session_changes");
});
const insert = (...ids: string[]) =>
  `INSERT INTO mcp_sessions (session_id) VALUES ${ids.map((id) => `('${id}')`).join()}`;
const remove = (id: string) => `DELETE FROM mcp_sessions WHERE session_id = '${id}'`;
/** After this an insert merges nothing, or merges. */
const seed = (merges: boolean) => `PERFORM setseed(${merges ? "merging" : "alone"}) FROM seeds`;
const changes = (before = "0") =>
  `SELECT json_agg(c) FROM (SELECT CASE WHEN change_number > 0 THEN change_number ELSE -1 END AS n, change, delete_depth AS depth
     FROM mcp_session_changes WHERE transaction_id > ${before} ORDER BY transaction_id, change_number) AS c`;
const sum = async () =>
  (await database.query("SELECT coalesce(sum(change), 0)::int AS sum FROM mcp_session_changes"))[0]?.["sum"];

beforeEach(async () => {
  await database.query(SEED_FOR);
  await database.query("CREATE TABLE seeds AS SELECT seed_for(false) AS alone, seed_for(true) AS merging");
});

describe("deletes", () => {
  test("of one transaction have a row each, beside those of its inserts", async () => {
    expect(
      await atOneInstant(database, [seed(false), insert("a", "b", "c"), remove("a"), remove("b")], changes()),
    ).toEqual([
      { n: -1, change: 3, depth: 0 },
      { n: 1, change: -1, depth: 0 },
      { n: 2, change: -1, depth: 0 },
    ]);
  });

  test("that a delete brings about are counted in its row, whatever others have on the way", async () => {
    await database.query(insert("a", "b", "c", "d", "x"));
    await database.query(remove("x"));
    await database.query(
      "INSERT INTO mcp_session_changes (transaction_id, change_number, change, deletes_before, delete_depth) VALUES (1, 1, 0, 5, 1)",
    );
    await addTrigger(
      database,
      "DELETE",
      "DELETE FROM mcp_sessions WHERE session_id = chr(ascii(OLD.session_id) + 1)",
    );
    const before = await database.query("SELECT *, ctid FROM mcp_session_changes");
    await database.query("CREATE TABLE known AS SELECT max(transaction_id) AS id FROM mcp_session_changes");
    // The trigger deletes first what comes after it, so all go.
    expect(
      await atOneInstant(database, [remove("b"), remove("a")], changes("(SELECT id FROM known)")),
    ).toEqual([
      { n: 1, change: -3, depth: 0 },
      { n: 2, change: -1, depth: 0 },
    ]);
    expect(
      await database.query(
        "SELECT *, ctid FROM mcp_session_changes WHERE transaction_id <= (SELECT id FROM known)",
      ),
    ).toEqual(before);
  });

  test("leave the rows of other transactions, and those of their own that are not begun", async () => {
    await database.query(insert("a", "b", "c", "d"));
    await database.query(remove("a"));
    const rows = "SELECT * FROM mcp_session_changes ORDER BY transaction_id, change_number";
    const before = await database.query(rows);
    // Without the trigger before it, a delete is not counted.
    const disable = "ALTER TABLE mcp_sessions DISABLE TRIGGER mcp_count_before_delete";
    await database.query("CREATE TABLE known AS SELECT max(transaction_id) AS id FROM mcp_session_changes");
    expect(
      await atOneInstant(database, [remove("b"), disable, remove("c")], changes("(SELECT id FROM known)")),
    ).toEqual([{ n: 1, change: -1, depth: 0 }]);
    expect((await database.query(rows)).slice(0, before.length)).toEqual(before);
  });

  test("in which an insert merges keep their row apart", async () => {
    await database.query(insert("a", "b"));
    await addTrigger(database, "DELETE", `${seed(true)}; ${insert("c")}`);
    await atOneInstant(database, [remove("a")], "SELECT 1");
    expect(await sum()).toBe(2);
    const [counted] = await database.query("SELECT total::int FROM mcp_count_sessions(0)");
    expect(counted).toEqual({ total: 2 });
  });
});

test("an insert that merges nothing counts itself only", async () => {
  expect(await atOneInstant(database, [seed(true), insert("a")], changes())).toEqual([
    { n: -1, change: 1, depth: 0 },
  ]);
});

test("one that merges takes ten thousand at most", async () => {
  await database.query(
    "INSERT INTO mcp_session_changes (transaction_id, change_number, change) SELECT n, 1, 1 FROM generate_series(1, 10002) AS n",
  );
  expect(
    await atOneInstant(
      database,
      [seed(true), insert("a")],
      "SELECT json_agg(change ORDER BY change) FROM mcp_session_changes",
    ),
  ).toEqual([1, 1, 10_001]);
});

test("one that merges waits for no other row, of whatever number", async () => {
  const merge = [seed(true), insert("a")];
  await atOneInstant(database, merge, "SELECT 1");
  const held = await heldOpen(database, "SELECT FROM mcp_session_changes FOR UPDATE");
  const patience = "PERFORM set_config('lock_timeout', '200', true)";
  await atOneInstant(database, [patience, seed(true), insert("b")], "SELECT 1");
  await held.release();
  expect(await sum()).toBe(2);
});

describe("merging", () => {
  const merge = (limit = "") => `PERFORM mcp_merge_session_changes(${limit})`;
  const fill = (rows: number) =>
    database.query(
      `INSERT INTO mcp_session_changes (transaction_id, change_number, change) SELECT n, 7, 1 FROM generate_series(1, ${rows}) AS n`,
    );

  test("takes a hundred thousand at most", async () => {
    await fill(100_002);
    expect(
      await atOneInstant(
        database,
        [merge()],
        "SELECT json_agg(change ORDER BY change) FROM mcp_session_changes",
      ),
    ).toEqual([1, 1, 100_000]);
  });

  test("takes the next number of its transaction, and the first when it has none", async () => {
    await fill(2);
    expect(await atOneInstant(database, [merge()], changes())).toEqual([{ n: 1, change: 2, depth: 0 }]);
    await database.query("DELETE FROM mcp_session_changes");
    await database.query(insert("a", "b", "c"));
    expect(await atOneInstant(database, [remove("a"), remove("b"), merge()], changes())).toEqual([
      { n: 3, change: 1, depth: 0 },
    ]);
  });

  test("leaves a delete that goes on, and waits for nothing", async () => {
    await fill(3);
    await database.query("UPDATE mcp_session_changes SET delete_depth = 1 WHERE transaction_id = 1");
    const held = await heldOpen(
      database,
      "SELECT FROM mcp_session_changes WHERE transaction_id = 2 FOR UPDATE",
    );
    const patience = "PERFORM set_config('lock_timeout', '200', true)";
    const left =
      "SELECT json_agg(transaction_id ORDER BY transaction_id) FILTER (WHERE transaction_id < 3) FROM mcp_session_changes";
    const after = await atOneInstant(database, [patience, merge()], left).catch(String);
    await held.release();
    expect(after).toEqual([1, 2]);
  });
});

test("rows are counted, merged and counted again whatever search_path their program has", async () => {
  const alien = (...statements: string[]) =>
    atOneInstant(
      database,
      [
        "PERFORM set_config('search_path', 'pg_catalog', true)",
        ...statements.map((statement) => statement.replace("mcp_", "public.mcp_")),
      ],
      "SELECT 1",
    );
  await alien(insert("a", "b"), remove("a"));
  expect(await sum()).toBe(1);
  await alien("PERFORM mcp_merge_session_changes()");
  expect(await database.query("SELECT change::int FROM mcp_session_changes")).toEqual([{ change: 1 }]);
  await alien("DELETE FROM mcp_session_changes", "PERFORM mcp_recount_sessions()");
  expect(await sum()).toBe(1);
});

test("rows are counted, merged and counted again for a role that may not write them", async () => {
  const role = await asWorkerRole(database);
  await role.query(insert("a", "b"));
  await role.query(insert("c"));
  expect(await sum()).toBe(3);
  await role.query("SELECT mcp_merge_session_changes()");
  expect(await database.query("SELECT change::int FROM mcp_session_changes")).toEqual([{ change: 3 }]);
  await database.query("DELETE FROM mcp_session_changes");
  await role.query("SELECT mcp_recount_sessions()");
  expect(await sum()).toBe(3);
  expect(
    await role.query("SELECT has_function_privilege('mcp_count_session_rows()', 'EXECUTE') AS may"),
  ).toEqual([{ may: false }]);
});

test("what a run has deleted is counted with each change of its record", async () => {
  await database.query("DELETE FROM mcp_session_totals");
  await database.query(
    "INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, outcome, deleted) VALUES ('regular', 'manual', now(), now(), now(), 'running', 2)",
  );
  await database.query("UPDATE mcp_cleanup_runs SET deleted = 5");
  expect(await totalsOf(database)).toEqual({ "sessions_deleted/regular": 5 });
});

test.each(["RAISE EXCEPTION 'no'", "ASSERT false"])(
  "no insert fails because it cannot be counted: %s",
  async (body) => {
    await addTrigger(database, "INSERT", body, "mcp_session_changes");
    await database.query(insert("a"));
    expect([await sum(), await database.query("SELECT session_id AS id FROM mcp_sessions")]).toEqual([
      0,
      [{ id: "a" }],
    ]);
  },
);
