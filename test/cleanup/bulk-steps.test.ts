// The steps of a cleanup run in bulk, each by itself: what exactly it deletes, and when a run goes on in bulk.
import { beforeEach, describe, expect, test } from "vitest";
import { heldOpen } from "../support/locks.ts";
import { addFullChild, leftInChild } from "../support/rows.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
});
const valueOf = async (expression: string) =>
  (await database.query(`SELECT ${expression} AS value`))[0]?.["value"];
/** One row after the other, so that each has its place behind the one before. */
async function add(sessions: Record<string, string>): Promise<void> {
  for (const row of Object.entries(sessions))
    await database.query(
      "INSERT INTO mcp_sessions (session_id, principal, created_at, expires_at) VALUES ($1, 'me', '2025-01-01', $2)",
      row,
    );
}
const left = async () =>
  (await database.query("SELECT session_id AS id FROM mcp_sessions ORDER BY 1")).map(({ id }) => id);
const block = (session: string) =>
  database.query(
    "INSERT INTO mcp_cleanup_blocked (session_id, reason, tried_at) VALUES ($1, 'kept', now())",
    [session],
  );
/** A row of another program's table, which is none of ours. */
async function addChild(expiry: string): Promise<void> {
  await database.query("CREATE TABLE a_child () INHERITS (mcp_sessions)");
  await database.query(
    `INSERT INTO a_child (session_id, principal, expires_at) VALUES ('child', 'me', '${expiry}')`,
  );
}

const day = (nth: number) => `2026-01-0${nth}T00:00:00.000001Z`;

describe("a range of expiry times", () => {
  const deleted = (leavesOut: boolean, stop = "'infinity'") =>
    valueOf(`mcp_delete_range('${day(2)}', '${day(4)}', ${stop}, ${leavesOut})::int`);

  test("has both of its ends, and nothing beside it", async () => {
    await add({
      before: "2026-01-02T00:00:00Z",
      first: day(2),
      middle: day(3),
      last: day(4),
      after: "2026-01-04T00:00:00.000002Z",
    });
    await addChild(day(3));
    expect(await deleted(true)).toBe(3);
    expect(await left()).toEqual(["after", "before", "child"]);
  });

  test("leaves out what is listed, if it is to", async () => {
    await add({ free: day(3), listed: day(3) });
    await block("listed");
    expect([await deleted(true), await left()]).toEqual([1, ["listed"]]);
    expect([await deleted(false), await left()]).toEqual([1, []]);
  });

  test("stops at its time", async () => {
    await add({ late: day(3) });
    expect([await deleted(false, "clock_timestamp()"), await left()]).toEqual([0, ["late"]]);
  });
});

describe.each([true, false])("a stretch of pages, skipping what is locked: %s", (skips) => {
  const deleted = (leavesOut: boolean, from = "(0,0)", to = "(9,0)") =>
    valueOf(`mcp_delete_pages('${from}', '${to}', '${day(3)}', ${skips}, ${leavesOut})::int`);

  test("has its first place and not its last one, and what has expired until the time", async () => {
    await add({ a: day(1), b: day(1), c: day(3), d: day(4), e: day(1) });
    await addChild(day(1));
    const placeOf = (id: string) =>
      valueOf(`(SELECT ctid::text FROM ONLY mcp_sessions WHERE session_id = '${id}')`);
    expect([
      await deleted(true, String(await placeOf("b")), String(await placeOf("e"))),
      await left(),
    ]).toEqual([2, ["a", "child", "d", "e"]]);
  });

  test("is one of our table, and not of one that inherits from it", async () => {
    await addFullChild(database);
    // At the place at which the other one has an expired session.
    await add({ live: "2999-01-01", old: day(3) });
    expect([await deleted(true), await leftInChild(database)]).toEqual([1, 10]);
    expect(await left()).toContain("live");
  });

  test("leaves out what is listed, if it is to", async () => {
    await add({ free: day(1), listed: day(1) });
    await block("listed");
    expect([await deleted(true), await left()]).toEqual([1, ["listed"]]);
    expect([await deleted(false), await left()]).toEqual([1, []]);
  });

  test("a session that never expires stays", async () => {
    await add({ old: day(1), never: day(1) });
    await database.query("ALTER TABLE mcp_sessions ALTER expires_at DROP NOT NULL");
    await database.query("UPDATE mcp_sessions SET expires_at = NULL WHERE session_id = 'never'");
    expect([await deleted(true), await left()]).toEqual([1, ["never"]]);
  });

  test("a row that is locked is left, or waited for", async () => {
    await add({ free: day(1), locked: day(1) });
    const held = await heldOpen(database, "SELECT FROM mcp_sessions WHERE session_id = 'locked' FOR UPDATE");
    const hurried = database.query(
      `SELECT set_config('lock_timeout', '200', true), mcp_delete_pages('(0,0)', '(9,0)', '${day(3)}', ${skips}, true)`,
    );
    const end = await hurried.then(() => "deleted", String);
    await held.release();
    expect(end).toContain(skips ? "deleted" : "lock timeout");
    expect(await left()).toEqual(skips ? ["locked"] : ["free", "locked"]);
  });
});

describe("how a run goes on after its first full batch", () => {
  const chosen = (found: number, foundPages: number, lastExpiry = day(1), until = day(3)) =>
    valueOf(`mcp_choose_bulk(${found}, ${foundPages}, '${lastExpiry}', '${until}')`);
  /** More than 500 pages, five rows on each. */
  const fill = (expiry: string) =>
    database.query(
      `INSERT INTO mcp_sessions (session_id, principal, expires_at, client_info)
       SELECT 's' || n, 'me', '${expiry}', jsonb_build_object('name', repeat('x', 1500)) FROM generate_series(1, 3000) AS n`,
    );

  test("a small table is read batch after batch", async () => {
    await add({ old: day(1) });
    expect(await chosen(100, 1)).toBeNull();
  });

  /** Row after row until there are 500 pages. Each page has none, or so many of which the first has expired. */
  async function fillPages(rowsOnEach: number, bytes: number) {
    await database.query(
      `DO $$ DECLARE n int := 0; BEGIN
         WHILE pg_relation_size('mcp_sessions') < 500 * 8192 LOOP
           n := n + 1;
           INSERT INTO mcp_sessions (session_id, principal, expires_at, client_info)
           VALUES (lpad(n::text, 6), 'me', CASE WHEN n % ${rowsOnEach} = 1 THEN timestamptz '${day(3)}' ELSE '2999-01-01' END,
                   jsonb_build_object('name', repeat('x', ${bytes})));
         END LOOP; END $$`,
    );
    const page = "(ctid::text::point)[0]";
    await database.query(
      `DELETE FROM mcp_sessions WHERE ${page} IN (SELECT ${page} FROM mcp_sessions GROUP BY 1 HAVING count(*) <> ${rowsOnEach})`,
    );
    expect(await valueOf(`(SELECT count(*)::int FROM mcp_sessions)`)).toBeGreaterThan(490 * rowsOnEach);
  }

  test.each([
    ["a tenth", 10, 620, "pages"],
    ["less than a tenth", 11, 560, null],
  ])("of 500 pages, when %s of the sessions have expired", async (_, rowsOnEach, bytes, form) => {
    await fillPages(rowsOnEach, bytes);
    expect(await chosen(100, 26)).toBe(form);
    expect(await chosen(100, 25)).toBe("ranges");
  });

  test("what is stored together is deleted by ranges, unless there is no end to its times", async () => {
    await fill(day(4));
    expect(await chosen(100, 25)).toBe("ranges");
    expect(await chosen(100, 26)).toBeNull();
    expect(await chosen(100, 25, "infinity")).toBeNull();
  });

  test("what is scattered is deleted by pages when much of the table has expired", async () => {
    await fill(day(3));
    await addChild(day(4));
    await database.query(
      "INSERT INTO a_child (session_id, principal, expires_at) SELECT 'c' || n, 'me', now() + interval '1 day' FROM generate_series(1, 90000) AS n",
    );
    expect(await chosen(100, 100)).toBe("pages");
    expect(await chosen(100, 100, day(1), day(2))).toBeNull();
  });
});
