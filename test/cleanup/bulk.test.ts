// Large backlogs in large tables are deleted in bulk: the same sessions, in few transactions.
import { beforeEach, describe, expect, test } from "vitest";
import { runCleanupOnce, runImmediateCleanup } from "../../src/cleanup/clean.ts";
import { runsOf, runInProgress, storeOf } from "../support/cleanup.ts";
import { heldOpen, lockSessions } from "../support/locks.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const ROWS = 6000;

// Five on a page: a run goes by ranges when a batch has at least four sessions of each page that it reads.
// Stored in the order in which they expire, or in another. Every third second-half session never expires.
describe.each([
  ["ranges of expiry times", "i", "mcp_delete_range"],
  ["pages of the table", `(i * 4099::bigint + 13) % ${ROWS}`, "mcp_delete_pages"],
])("by %s", (_name, position, routine) => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createDatabase();
    await database.query(
      `INSERT INTO mcp_sessions (session_id, client_info, expires_at)
       SELECT i::text, jsonb_build_object('padding', repeat('x', 1200)),
              CASE WHEN position < ${ROWS / 2} OR position % 3 > 0
                THEN now() + (position - ${ROWS / 2}) * interval '5 seconds' - interval '1 minute' END
         FROM (SELECT i, ${position} AS position FROM generate_series(0, ${ROWS - 1}) i) AS rows`,
    );
    // A trigger on mcp_sessions itself would keep a run from bulk. Rows that go with their sessions see which routine deletes.
    for (const statement of [
      "CREATE TABLE tool_calls (session_id text PRIMARY KEY REFERENCES mcp_sessions ON DELETE CASCADE)",
      "CREATE TABLE deletions (transaction xid8, stack text)",
      `CREATE FUNCTION note_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
         DECLARE stack text; BEGIN
           GET DIAGNOSTICS stack = PG_CONTEXT;
           INSERT INTO deletions VALUES (pg_current_xact_id(), stack);
           RETURN OLD;
         END $$`,
      "CREATE TRIGGER noted BEFORE DELETE ON tool_calls FOR EACH ROW EXECUTE FUNCTION note_deletion()",
      `INSERT INTO tool_calls SELECT i::text FROM generate_series(0, ${ROWS - 1}) i`,
    ]) {
      await database.query(statement);
    }
  });

  /** How many transactions of the routine of this name have deleted sessions. */
  const batchesOf = async (name: string) =>
    Number(
      (
        await database.query(
          "SELECT count(DISTINCT transaction) FROM deletions WHERE stack LIKE format('%%function %s(%%', $1::text)",
          [name],
        )
      )[0]?.["count"],
    );

  /** From now on every fiftieth deletion takes `seconds`. */
  const slowDown = async (seconds: number) => {
    await database.query(`CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN PERFORM pg_sleep(${seconds}); RETURN OLD; END'`);
    await database.query(
      `CREATE TRIGGER slow BEFORE DELETE ON tool_calls FOR EACH ROW
         WHEN (OLD.session_id::int % 50 = 0) EXECUTE FUNCTION be_slow()`,
    );
  };

  const count = async (where: string) =>
    Number((await database.query(`SELECT count(*) FROM mcp_sessions WHERE ${where}`))[0]?.["count"]);

  test("everything that has expired goes, in bulk, and nothing else", async () => {
    const live = await count("expires_at > now() OR expires_at IS NULL");
    const deleted = await runCleanupOnce(storeOf(database, { batchSize: 100 }));
    expect(deleted).toBeGreaterThanOrEqual(ROWS / 2);
    expect(await count("true")).toBe(ROWS - deleted);
    expect(await count("true")).toBeLessThanOrEqual(live);
    expect(await count("true")).toBeGreaterThan(live - 10);
    expect(await count("expires_at < now() - interval '30 seconds'")).toBe(0);
    const [run] = await runsOf(database);
    expect(run).toMatchObject({ outcome: "completed", deleted: String(deleted) });
    // A busy machine cuts ranges short, the one or other before its first session. A counted batch follows each of these.
    const inBulk = await batchesOf(routine);
    expect(inBulk).toBeGreaterThan(0);
    expect(await batchesOf("mcp_delete_oldest")).toBeLessThan(2 * inBulk + 10);
  });

  test("so it does in large batches, which have the time to reach the end of a range", async () => {
    const never = await count("expires_at IS NULL");
    await runCleanupOnce(storeOf(database, { batchSize: 1000 }));
    expect((await runsOf(database))[0]).toMatchObject({ outcome: "completed" });
    expect(await count("expires_at < now() - interval '30 seconds'")).toBe(0);
    expect(await count("expires_at IS NULL")).toBe(never);
  });

  test("the immediate tier leaves what has not been expired for its age", async () => {
    const old = await count("expires_at <= now() - interval '1 hour'");
    const recent = await count("expires_at > now() - interval '50 minutes' AND expires_at <= now()");
    const deleted = await runImmediateCleanup(storeOf(database, { batchSize: 100 }));
    expect(deleted).toBeGreaterThanOrEqual(old);
    expect(deleted).toBeLessThan(old + 10);
    expect(
      await count("expires_at > now() - interval '50 minutes' AND expires_at <= now()"),
    ).toBeGreaterThanOrEqual(recent);
  });

  test("a session that was just ended is kept, as always", async () => {
    await database.query(
      `UPDATE mcp_sessions SET ended_at = now(), expires_at = now(), end_reason = 'client' WHERE session_id = '${ROWS - 1}'`,
    );
    await runCleanupOnce(storeOf(database, { batchSize: 100 }));
    expect(await count("ended_at IS NOT NULL")).toBe(1);
  });

  test("sessions that are being extended survive, and the run does not wait for them", async () => {
    const [never, expired] = [
      await count("expires_at IS NULL"),
      "expires_at < now() - interval '30 seconds'",
    ];
    const extended = await count(`${expired} AND session_id LIKE '%77'`);
    expect(extended).toBeGreaterThan(10);
    const extension = await heldOpen(
      database,
      `UPDATE mcp_sessions SET expires_at = now() + interval '1 day'
        WHERE ${expired} AND session_id LIKE '%77' RETURNING 1`,
    );
    // It ends while they are still locked.
    await runCleanupOnce(storeOf(database, { batchSize: 100 }));
    await extension.release();
    expect(await count("expires_at > now() + interval '20 hours'")).toBe(extended);
    expect(await count(expired)).toBe(0);
    expect(await count("expires_at IS NULL")).toBe(never);
  });

  test("a batch that was cut short by its time is gone on with, and not taken for done", async () => {
    // A bulk batch stops after less than half a millisecond here, and comes upon 2,000 that expire in the same instant.
    await database.query(
      `UPDATE mcp_sessions SET expires_at = now() - interval '1 hour'
        WHERE expires_at BETWEEN now() - interval '3 hours' AND now() - interval '10 minutes'`,
    );
    const never = await count("expires_at IS NULL");
    await runCleanupOnce(storeOf(database, { batchSize: 10, timeBudgetMs: 600_000 }));
    expect((await runsOf(database))[0]).toMatchObject({ outcome: "completed" });
    expect(await count("expires_at < now() - interval '30 seconds'")).toBe(0);
    expect(await count("expires_at IS NULL")).toBe(never);
  });

  test("as many as expire in the same instant are no trouble", async () => {
    await database.query(
      "UPDATE mcp_sessions SET expires_at = '2020-01-01T00:00:00Z' WHERE expires_at < now()",
    );
    await database.query("UPDATE mcp_sessions SET expires_at = '-infinity' WHERE session_id < '2'");
    const deleted = await runCleanupOnce(storeOf(database, { batchSize: 10 }));
    expect(await count("expires_at < now() - interval '30 seconds'")).toBe(0);
    expect(deleted).toBe(ROWS - (await count("true")));
    expect((await runsOf(database))[0]).toMatchObject({ outcome: "completed" });
  });

  test("a batch of sessions that expired before all time does not begin a range, which has no length there", async () => {
    const chosen = await database.query(
      `SELECT t AS last, mcp_choose_bulk(100, 25, t, '-infinity') AS bulk
         FROM unnest(ARRAY['-infinity', now()]::timestamptz[]) t ORDER BY t`,
    );
    expect(chosen.map(({ bulk }) => bulk)).toEqual([null, "ranges"]);
  });

  test("a run whose time is up says so, and the next one goes on", async () => {
    await slowDown(0.025);
    const first = await runCleanupOnce(storeOf(database, { batchSize: 100, timeBudgetMs: 300 }));
    expect(first).toBeGreaterThan(0);
    expect((await runsOf(database))[0]).toMatchObject({ outcome: "partial", deleted: String(first) });
    const second = await runCleanupOnce(storeOf(database, { batchSize: 100 }));
    expect(first + second).toBe(ROWS - (await count("true")));
    expect(await count("expires_at < now() - interval '30 seconds'")).toBe(0);
  });

  test("a table that another program locks during it makes the run fail, not hang", async () => {
    // A run by counted batches, of which each says at its end what it has waited for.
    await database.query(`CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN PERFORM pg_sleep(0.001); RETURN OLD; END'`);
    await database.query(
      "CREATE TRIGGER slow BEFORE DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION be_slow()",
    );
    const run = runCleanupOnce(storeOf(database, { batchSize: 100, timeBudgetMs: 4000 }));
    run.catch(() => {});
    await runInProgress(database);
    const lock = await lockSessions(database);
    await expect(run).rejects.toThrow("55P03");
    await lock.release();
    expect((await runsOf(database))[0]).toMatchObject({ outcome: "failed", error_code: "55P03" });
  });
});
