// What a run does before it deletes, by itself: which records go, and when the sessions are counted again.
import { beforeEach, describe, expect, test } from "vitest";
import { heldOpen } from "../support/locks.ts";
import { valueOf } from "../support/rows.ts";
import { asSuperuser, createDatabase, type TestDatabase } from "../support/worker.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
});
const addRun = async (startedAt: string) =>
  Number(
    (
      await database.query(
        `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, outcome)
         VALUES ('regular', 'manual', now(), now(), $1, 'running') RETURNING run_id`,
        [startedAt],
      )
    )[0]?.["run_id"],
  );
const KEPT_SINCE = "2026-01-02T00:00:00Z";
const tidy = (run: number) => database.query(`SELECT mcp_tidy_cleanup(${run}, '${KEPT_SINCE}')`);

test("records from before the retention go, and its own stays", async () => {
  const own = await addRun("2026-01-01");
  await addRun("2026-01-01T23:59:59.999999Z");
  const at = await addRun(KEPT_SINCE);
  await tidy(own);
  const runs = await database.query("SELECT run_id::int AS id FROM mcp_cleanup_runs ORDER BY 1");
  expect(runs.map(({ id }) => id)).toEqual([own, at]);
});

test("it holds the record of its run, and waits for no other", async () => {
  const [own, other] = [await addRun(KEPT_SINCE), await addRun(KEPT_SINCE)];
  const held = await heldOpen(database, `SELECT FROM mcp_cleanup_runs WHERE run_id = ${other} FOR UPDATE`);
  const ends = [];
  for (const run of [own, other])
    ends.push(
      await database
        .query(`SELECT mcp_tidy_cleanup(${run}, '-infinity') FROM set_config('lock_timeout', '200', true)`)
        .then(() => "tidied", String),
    );
  await held.release();
  expect(ends).toEqual(["tidied", expect.stringContaining("lock timeout")]);
});

test("what has expired is counted, and the changes of the number of sessions are merged", async () => {
  await database.query(
    "INSERT INTO mcp_session_changes (transaction_id, change_number, change) VALUES (1, 1, 1), (2, 1, -1)",
  );
  await tidy(await addRun(KEPT_SINCE));
  expect(await database.query("SELECT change::int FROM mcp_session_changes")).toEqual([{ change: 0 }]);
  expect(
    await valueOf(database, "(SELECT count(*)::int FROM mcp_session_totals WHERE name = 'expired_until')"),
  ).toBe(1);
});

test("totals of hours long ago are folded", async () => {
  await database.query(
    `INSERT INTO mcp_session_totals (name, shard, value)
     SELECT 'sessions_opened', (extract(epoch FROM now())::int / 3600 - 1000) * 16 + n, n FROM generate_series(1, 2) AS n`,
  );
  await tidy(await addRun(KEPT_SINCE));
  expect(
    await database.query("SELECT value::int FROM mcp_session_totals WHERE name = 'sessions_opened'"),
  ).toEqual([{ value: 3 }]);
});

describe("the sessions are counted again", () => {
  const added = () => valueOf(database, "(SELECT sum(change)::int FROM mcp_session_changes)");
  /** One session on each of so many pages, and what PostgreSQL knows of the table. */
  async function fill(pages: number, { tuples = 2000, onPages = 2000, live = 0 } = {}) {
    await database.query("TRUNCATE mcp_sessions");
    // Nothing else is to count what lives, or to estimate.
    await database.query("ALTER TABLE mcp_sessions SET (autovacuum_enabled = false)");
    await database.query("ALTER TABLE mcp_sessions ALTER client_info SET STORAGE PLAIN");
    await database.query(
      `DO $$ BEGIN
         INSERT INTO mcp_sessions (session_id, principal, expires_at, client_info)
         SELECT 'n' || n, 'me', '2999-01-01', jsonb_build_object('name', repeat('x', 5000)) FROM generate_series(1, ${pages}) AS n;
         PERFORM pg_stat_force_next_flush(); END $$`,
    );
    await database.query("DELETE FROM mcp_session_changes");
    await asSuperuser(
      `UPDATE pg_class SET reltuples = ${tuples}, relpages = ${onPages} WHERE oid = 'mcp_sessions'::regclass`,
      database,
    );
    if (live === 0)
      await asSuperuser("SELECT pg_stat_reset_single_table_counters('mcp_sessions'::regclass)", database);
    expect(await valueOf(database, "pg_stat_get_live_tuples('mcp_sessions'::regclass)::int")).toBe(live);
  }
  const countWith = async (change: number) => {
    if (change !== 0)
      await database.query(
        "INSERT INTO mcp_session_changes (transaction_id, change_number, change) VALUES (1, 1, $1)",
        [change],
      );
    await tidy(await addRun(KEPT_SINCE));
    return await added();
  };

  test("always, when they are on 2,000 pages", async () => {
    await fill(2000);
    expect(await countWith(2001)).toBe(2000);
  });

  test.each([
    ["not when the count is by a tenth above the estimate", 2200, 2200],
    ["when it is by more above it", 2201, 2001],
    ["when it is by more below it", 1799, 2001],
  ])("on 2,001 pages %s", async (_, change, counted) => {
    await fill(2001, { tuples: 2000, onPages: 2001 });
    expect(await countWith(change)).toBe(counted);
  });

  test("by an estimate of one session on one page", async () => {
    await fill(2001, { tuples: 1, onPages: 1 });
    expect(await countWith(2010)).toBe(2010);
  });

  test("when nothing is counted and nothing is known there is nothing to count", async () => {
    await fill(2001, { tuples: 0, onPages: 0 });
    expect(await countWith(0)).toBeNull();
  });

  test.each([
    ["sessions", { tuples: 0, onPages: 2001 }],
    ["pages", { tuples: 2001, onPages: 0 }],
  ])("by what lives, when no %s were estimated", async (_, estimate) => {
    await fill(2001, { ...estimate, live: 2001 });
    expect(await countWith(2010)).toBe(2010);
  });
});
