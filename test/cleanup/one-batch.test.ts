// One batch of a cleanup run by itself: which sessions it takes, to the microsecond, and what it says of them.
import { beforeEach, describe, expect, test } from "vitest";
import { atOneInstant } from "../support/instant.ts";
import { heldOpen } from "../support/locks.ts";
import { addFullChild, leftInChild, seenBy, watch } from "../support/rows.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
});
const day = (nth: number, micros = 0) => `2026-01-0${nth}T00:00:00.${String(micros).padStart(6, "0")}Z`;
/** Sessions by their expiry, and when they were ended. */
async function add(sessions: Record<string, string | [expiry: string, ended: string]>): Promise<void> {
  for (const [id, times] of Object.entries(sessions))
    await database.query(
      `INSERT INTO mcp_sessions (session_id, principal, created_at, expires_at, ended_at)
       VALUES ($1, 'me', '2025-01-01', $2, $3::timestamptz)`,
      [id, ...(typeof times === "string" ? [times, null] : times)],
    );
}
const left = async () =>
  (await database.query("SELECT session_id AS id FROM mcp_sessions ORDER BY 1")).map(({ id }) => id);
const block = (session: string, reason = "kept") =>
  database.query("INSERT INTO mcp_cleanup_blocked (session_id, reason, tried_at) VALUES ($1, $2, now())", [
    session,
    reason,
  ]);
const blocked = () => database.query("SELECT session_id AS id, reason FROM mcp_cleanup_blocked ORDER BY 1");
/** Keeps sessions whose names begin with `kept`, and fails for those with `bad`. */
const guard = () =>
  database
    .query(
      `CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF old.session_id LIKE 'bad%' THEN RAISE EXCEPTION 'no' USING ERRCODE = '23503'; END IF;
         IF old.session_id LIKE 'kept%' THEN RETURN NULL; END IF;
         RETURN old; END $$`,
    )
    .then(() =>
      database.query(
        "CREATE TRIGGER guard BEFORE DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION guard()",
      ),
    );

/** From day 2 on; before day 5, and until the cutoff of day 4; ended before day 3. */
const CONDITIONS = `'${day(5)}', '${day(4)}', '${day(3)}'`;
const SESSIONS = {
  before: day(1),
  first: day(2),
  last: day(4),
  beyond: day(4, 1),
  "ended-before": [day(3), day(2)],
  "ended-at": [day(3), day(3)],
  "ends-later": [day(3), "2999-01-01"],
} as const;
const TAKEN = ["ended-before", "ends-later", "first", "last"];
const STAY = ["before", "beyond", "ended-at"];
const spread = () =>
  add(Object.fromEntries(Object.entries(SESSIONS).map(([id, times]) => [id, times as string])));

describe("the oldest", () => {
  const deleteOldest = async ({
    limit = 100,
    leavesOut = true,
    mayBeKept = false,
    from = day(2),
    conditions = CONDITIONS,
  } = {}) =>
    (
      await database.query(
        `SELECT found_rows::int AS found, deleted::int, first_expiry, last_expiry, found_pages::int AS pages
           FROM mcp_delete_oldest('${from}', ${conditions}, ${limit}, ${leavesOut}, ${mayBeKept})`,
      )
    )[0];
  const instant = (text: unknown) => new Date(String(text)).toISOString();

  test("are those of the conditions, and no others", async () => {
    await spread();
    const report = await deleteOldest();
    expect(report).toMatchObject({ found: 4, deleted: 4, pages: null });
    expect([instant(report?.["first_expiry"]), instant(report?.["last_expiry"])]).toEqual([
      "2026-01-02T00:00:00.000Z",
      "2026-01-04T00:00:00.000Z",
    ]);
    expect(await left()).toEqual(STAY);
  });

  test("what expires at the end of the time is not taken, whatever the cutoff", async () => {
    await add({ before: day(4, 999_999), at: day(5) });
    await deleteOldest({ conditions: `'${day(5)}', '${day(6)}', '${day(3)}'` });
    expect(await left()).toEqual(["at"]);
  });

  test("come first, and a full batch says on how many pages they were", async () => {
    await add({ c: day(4), a: day(2), b: day(3) });
    expect(await deleteOldest({ limit: 2 })).toMatchObject({ found: 2, deleted: 2, pages: 1 });
    expect(await left()).toEqual(["c"]);
  });

  test("without an end in time they are no first expiry", async () => {
    await add({ never: "-infinity", a: day(3) });
    const report = await deleteOldest({ from: "-infinity" });
    expect([report?.["deleted"], instant(report?.["first_expiry"])]).toEqual([2, "2026-01-03T00:00:00.000Z"]);
  });

  test("leave out what is listed, if they are to, and what is locked", async () => {
    await add({ free: day(3), listed: day(3), locked: day(3) });
    await block("listed");
    const held = await heldOpen(database, "SELECT FROM mcp_sessions WHERE session_id = 'locked' FOR UPDATE");
    expect(await deleteOldest()).toMatchObject({ found: 1, deleted: 1 });
    expect(await left()).toEqual(["listed", "locked"]);
    expect(await deleteOldest({ leavesOut: false })).toMatchObject({ found: 1, deleted: 1 });
    await held.release();
    expect(await left()).toEqual(["locked"]);
  });

  test("what is back after its deletion is not counted where that may be", async () => {
    await add({ again: day(3), gone: day(3) });
    await database.query(`CREATE FUNCTION put_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO mcp_sessions SELECT old.*; RETURN NULL; END $$`);
    await database.query(`CREATE TRIGGER put_back AFTER DELETE ON mcp_sessions FOR EACH ROW
      WHEN (old.session_id = 'again') EXECUTE FUNCTION put_back()`);
    expect(await deleteOldest({ mayBeKept: true })).toMatchObject({ found: 2, deleted: 1 });
    expect(await left()).toEqual(["again"]);
    expect(await deleteOldest()).toMatchObject({ found: 1, deleted: 1 });
  });
});

describe("the oldest, where they may be kept", () => {
  const deleteOldest = async () =>
    (
      await database.query(
        `SELECT found_rows::int AS found, deleted::int
           FROM mcp_delete_oldest('${day(2)}', ${CONDITIONS}, 100, true, true)`,
      )
    )[0];
  const putBack = async (timing: string, expiry = "old.expires_at") => {
    await add({ again: day(3), gone: day(3) });
    await database.query(`CREATE FUNCTION put_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO mcp_sessions (session_id, principal, expires_at) VALUES (old.session_id, 'me', ${expiry});
      RETURN NULL; END $$`);
    await database.query(
      `CREATE ${timing} FOR EACH ROW WHEN (old.session_id = 'again') EXECUTE FUNCTION put_back()`,
    );
  };

  test("count none that a deferred trigger puts back", async () => {
    await putBack("CONSTRAINT TRIGGER t AFTER DELETE ON mcp_sessions DEFERRABLE INITIALLY DEFERRED");
    expect(await deleteOldest()).toEqual({ found: 2, deleted: 1 });
  });

  test("count one that is back with a life of its own, and not one that is another program's", async () => {
    await addFullChild(database);
    await putBack("TRIGGER t AFTER DELETE ON mcp_sessions", `'${day(5)}'`);
    await database.query("UPDATE a_child SET session_id = 'gone' WHERE session_id = 'child-1'");
    expect(await deleteOldest()).toEqual({ found: 2, deleted: 2 });
  });
});

test("the oldest are of our table only", async () => {
  await addFullChild(database);
  await add({ a: day(3), b: day(4) });
  expect(
    await database.query(
      `SELECT found_rows::int AS found, deleted::int FROM mcp_delete_oldest('${day(2)}', ${CONDITIONS}, 100, true, false)`,
    ),
  ).toEqual([{ found: 2, deleted: 2 }]);
  expect(await leftInChild(database)).toBe(10);
});

describe.each([
  ["by their index", "NULL, NULL"],
  ["on their pages", "'(0,0)', '(9,0)'"],
])("the expired that are looked for %s", (_, rows) => {
  const find = async (limit = 100, conditions = CONDITIONS) =>
    (
      await database.query(
        `SELECT unnest(mcp_find_expired('${day(2)}', ${conditions}, ${limit}, ${rows})) AS id ORDER BY 1`,
      )
    ).map(({ id }) => id);

  test("are those of the conditions, and no others", async () => {
    await spread();
    expect(await find()).toEqual(TAKEN);
    await add({ "at-the-end": day(5) });
    expect(await find(100, `'${day(5)}', '${day(6)}', '${day(3)}'`)).not.toContain("at-the-end");
  });

  test("leave out what is listed, and what is locked", async () => {
    await add({ free: day(3), listed: day(3), locked: day(3) });
    await block("listed");
    const held = await heldOpen(database, "SELECT FROM mcp_sessions WHERE session_id = 'locked' FOR UPDATE");
    expect(await find()).toEqual(["free"]);
    await held.release();
  });

  test("never are those that never expire, or another program's", async () => {
    await database.query("ALTER TABLE mcp_sessions ALTER expires_at DROP NOT NULL");
    await add({ old: day(3), never: day(3) });
    await database.query("UPDATE mcp_sessions SET expires_at = NULL WHERE session_id = 'never'");
    await database.query("CREATE TABLE a_child () INHERITS (mcp_sessions)");
    await database.query(
      `INSERT INTO a_child (session_id, principal, expires_at) VALUES ('child', 'me', '${day(3)}')`,
    );
    expect(await find()).toEqual(["old"]);
  });
});

test("by their index the oldest are found first, on pages those between two places", async () => {
  await add({ c: day(4), a: day(2), b: day(3) });
  const found = async (limit: number, from: string, to: string) =>
    (
      await database.query(
        `SELECT mcp_find_expired('${day(2)}', ${CONDITIONS}, ${limit}, ${from}, ${to}) AS ids`,
      )
    )[0]?.["ids"];
  const place = (id: string) => `(SELECT ctid FROM mcp_sessions WHERE session_id = '${id}')`;
  expect(await found(2, "NULL", "NULL")).toEqual(["a", "b"]);
  expect(await found(9, place("c"), place("b"))).toEqual(["c", "a"]);
  expect(await found(9, place("a"), "'(9,0)'")).toEqual(["a", "b"]);
});

describe("one part after the other", () => {
  const deleteSessions = async (ids: string[], until = "'infinity'") =>
    (
      await database.query(
        `SELECT handled, deleted::int FROM mcp_delete_sessions($1::text[], ${CONDITIONS}, ${until})`,
        [ids],
      )
    )[0];

  test("those of the conditions are deleted, and the others are done as well", async () => {
    await spread();
    expect(await deleteSessions(Object.keys(SESSIONS))).toEqual({ handled: 7, deleted: 5 });
    expect(await left()).toEqual(["beyond", "ended-at"]);
    expect(await blocked()).toEqual([]);
  });

  test("those that cannot be deleted are listed with the reason, and all others are gone", async () => {
    await add({ a: day(3), bad: day(3), b: day(3), kept: day(3), c: day(3) });
    await guard();
    expect(await deleteSessions(["a", "bad", "b", "kept", "c"])).toEqual({ handled: 5, deleted: 3 });
    expect(await left()).toEqual(["bad", "kept"]);
    expect(await blocked()).toEqual([
      { id: "bad", reason: "23503" },
      { id: "kept", reason: "kept" },
    ]);
  });

  test("what is listed leaves the list when it is deleted, gone, or live again, and is tried again else", async () => {
    await add({ deletable: day(3), live: "2999-01-01", locked: day(3), bad: day(3) });
    for (const id of ["deletable", "live", "locked", "gone"]) await block(id, "23503");
    await block("bad", "kept");
    await guard();
    const tried = "UPDATE mcp_cleanup_blocked SET tried_at = now() - interval '1 day'";
    await database.query(tried);
    const held = await heldOpen(database, "SELECT FROM mcp_sessions WHERE session_id = 'locked' FOR UPDATE");
    expect(await deleteSessions(["deletable", "live", "locked", "gone", "bad"])).toEqual({
      handled: 5,
      deleted: 1,
    });
    await held.release();
    expect(await blocked()).toEqual([
      { id: "bad", reason: "23503" },
      { id: "locked", reason: "23503" },
    ]);
    expect(
      await database.query("SELECT FROM mcp_cleanup_blocked WHERE tried_at < now() - interval '1 hour'"),
    ).toEqual([]);
  });

  test("those of our table are deleted, and what is listed is told from another program's", async () => {
    await addFullChild(database);
    // At the place of child-1.
    await add({ live: "2999-01-01" });
    await add({ a: day(3), b: day(3) });
    await block("child-1");
    await database.query("UPDATE mcp_cleanup_blocked SET tried_at = now() - interval '1 day'");
    expect(await deleteSessions(["a", "b", "child-1", "child-2"])).toEqual({ handled: 4, deleted: 2 });
    expect(await leftInChild(database)).toBe(10);
    expect(await left()).toContain("live");
    expect(await blocked()).toEqual([]);
  });

  test("one that is another program's, too, is not kept", async () => {
    await addFullChild(database);
    await add({ "child-1": day(3) });
    expect(await deleteSessions(["child-1"])).toEqual({ handled: 1, deleted: 1 });
    expect(await blocked()).toEqual([]);
  });

  const FAR = "'2999-01-05', '2999-01-09', '2999-01-01'";
  test("what expires at the end of the time is neither taken nor kept, whatever the cutoff", async () => {
    await add({ before: "2999-01-04", at: "2999-01-05" });
    await guard();
    await database.query(`CREATE FUNCTION put_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO mcp_sessions (session_id, principal, expires_at) VALUES ('before', 'me', '2999-01-05'); RETURN NULL; END $$`);
    await database.query(
      "CREATE TRIGGER t AFTER DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION put_back()",
    );
    const [done] = await database.query(
      `SELECT handled, deleted::int FROM mcp_delete_sessions('{before,at}', ${FAR}, 'infinity')`,
    );
    expect(done).toEqual({ handled: 2, deleted: 1 });
    expect(await blocked()).toEqual([]);
  });

  test("what is listed now stays listed, is written once, and others are left as they are", async () => {
    await add({ "kept-a": "2999-01-04" });
    await guard();
    await block("other");
    await database.query("UPDATE mcp_cleanup_blocked SET tried_at = now() - interval '1 day'");
    await watch(database, {
      on: "BEFORE UPDATE",
      each: "ROW",
      table: "mcp_cleanup_blocked",
      what: "new.session_id",
      end: "RETURN new",
    });
    await database.query(`SELECT mcp_delete_sessions('{kept-a}', ${FAR}, 'infinity')`);
    expect(await blocked()).toEqual([
      { id: "kept-a", reason: "kept" },
      { id: "other", reason: "kept" },
    ]);
    expect(await seenBy(database)).toEqual([]);
  });

  test("what expires at this instant leaves the list", async () => {
    await block("a");
    const listed = await atOneInstant(
      database,
      [
        "UPDATE mcp_cleanup_blocked SET tried_at = now() - interval '1 day'",
        "INSERT INTO mcp_sessions (session_id, principal, expires_at) VALUES ('a', 'me', now())",
        `PERFORM mcp_delete_sessions('{a}', ${CONDITIONS}, 'infinity')`,
      ],
      "SELECT count(*) FROM mcp_cleanup_blocked",
    );
    expect(listed).toBe(0);
  });

  test.each(["53100", "57014", "57P01", "58030"])(
    "a failure of the server itself is no session's: %s",
    async (code) => {
      await add({ a: day(3) });
      await database.query(
        `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '${code}'; END $$`,
      );
      await database.query(
        "CREATE TRIGGER t BEFORE DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION fail()",
      );
      await expect(deleteSessions(["a"])).rejects.toMatchObject({ code });
      expect(await blocked()).toEqual([]);
    },
  );

  test("a failed assertion is a session's", async () => {
    await add({ a: day(3) });
    await database.query(
      "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ASSERT false; END $$",
    );
    await database.query(
      "CREATE TRIGGER t BEFORE DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION fail()",
    );
    expect(await deleteSessions(["a"])).toEqual({ handled: 1, deleted: 0 });
    expect(await blocked()).toEqual([{ id: "a", reason: "P0004" }]);
  });

  test("after one that fails the parts grow from one on, to twice as many each", async () => {
    const ids = ["bad", "a", "b", "c", "d", "e", "f", "g"];
    await add(Object.fromEntries(ids.map((id) => [id, day(3)])));
    await guard();
    await database.query("CREATE TABLE parts (place bigint GENERATED ALWAYS AS IDENTITY, size int)");
    await database.query(`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO parts (size) SELECT count(*) FROM gone; RETURN NULL; END $$`);
    await database.query(
      "CREATE TRIGGER note AFTER DELETE ON mcp_sessions REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note()",
    );
    expect(await deleteSessions(ids)).toEqual({ handled: 8, deleted: 7 });
    expect((await database.query("SELECT size FROM parts ORDER BY place")).map(({ size }) => size)).toEqual([
      1, 2, 4,
    ]);
  });

  test("after its time it ends with the part that it is at", async () => {
    await add({ "bad-1": day(3), a: day(3), b: day(3) });
    await guard();
    // Three fail together, then the first alone.
    expect(await deleteSessions(["bad-1", "a", "b"], "'-infinity'")).toEqual({ handled: 1, deleted: 0 });
    expect(await deleteSessions(["a", "b"], "'-infinity'")).toEqual({ handled: 2, deleted: 2 });
  });
});

test.each([
  ["nothing of another program", "SELECT 1", false],
  ["a rule", "CREATE RULE keep AS ON DELETE TO mcp_sessions DO INSTEAD NOTHING", true],
  [
    "a trigger of deletions",
    "CREATE TRIGGER other BEFORE DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    true,
  ],
  [
    "a trigger of inserts",
    "CREATE TRIGGER other BEFORE INSERT ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    false,
  ],
  [
    "row security that its owner is under",
    "ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    true,
  ],
  [
    "a trigger of another table's deletions",
    "CREATE TRIGGER other BEFORE DELETE ON mcp_streams FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    false,
  ],
  [
    "a table that refers to it",
    "CREATE TABLE notes (session_id text REFERENCES mcp_sessions ON DELETE CASCADE)",
    false,
  ],
  ["row security that its owner is not under", "ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY", false],
])("with %s a session may be kept: %#", async (_, statement, mayBeKept) => {
  await database.query(statement);
  expect(await database.query("SELECT mcp_may_be_kept() AS kept")).toEqual([{ kept: mayBeKept }]);
});

test("a trigger that is switched off keeps nothing", async () => {
  await guard();
  const mayBeKept = async () => (await database.query("SELECT mcp_may_be_kept() AS kept"))[0]?.["kept"];
  expect(await mayBeKept()).toBe(true);
  await database.query("ALTER TABLE mcp_sessions DISABLE TRIGGER guard");
  expect(await mayBeKept()).toBe(false);
});
