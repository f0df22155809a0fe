// One batch of a cleanup run by itself: which sessions it takes, to the microsecond, and what it says of them.
import { beforeEach, describe, expect, test } from "vitest";
import { heldOpen } from "../support/locks.ts";
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
