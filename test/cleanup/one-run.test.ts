// One run by itself, as the database does it: how long it waits for what, what makes it fail, and what it leaves alone.
import { beforeEach, describe, expect, test } from "vitest";
import { heldOpen } from "../support/locks.ts";
import { addTrigger } from "../support/owner.ts";
import { addChild, keysOf, seenBy, valueOf, watch } from "../support/rows.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
});
const run = async ({ tier = "regular", batchSize = 1000, budgetMs = 60_000, minAge = 0 } = {}) =>
  (
    await database.query(
      `CALL mcp_cleanup_sessions('${tier}', 'manual', now() + interval '1 hour', ${minAge}, ${batchSize}, ${budgetMs}, 30)`,
    )
  )[0];
const old = (...ids: string[]) =>
  database.query(
    "INSERT INTO mcp_sessions (session_id, principal, expires_at) SELECT id, 'me', now() - interval '1 hour' FROM unnest($1::text[]) AS id",
    [ids],
  );
const addHandles = (count: number) =>
  database.query(
    `INSERT INTO mcp_handles (handle_hash, owner, kind, value, created_at, last_used_at, expires_at)
     SELECT 'h' || i, 'me', 'k', '1', now(), now(), now() - interval '1 hour' FROM generate_series(1, ${count}) AS i`,
  );
const handles = () => valueOf(database, "(SELECT count(*)::int FROM mcp_handles)");
const raise = (code: string) =>
  code === "P0004" ? "ASSERT false" : `RAISE EXCEPTION 'no' USING ERRCODE = '${code}'`;
const settings = "current_setting('lock_timeout') || ' ' || current_setting('synchronous_commit')";
/** Records of other runs. */
const addRun = (outcome: string, errorCode = "NULL") =>
  database.query(
    `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, error_code)
     VALUES ('regular', 'manual', now(), now(), now(), now(), '${outcome}', ${errorCode})`,
  );

describe("before it begins", () => {
  test.each([
    [7000, "7s"],
    [0, "1ms"],
  ])("it waits for others no longer than its time: %i ms", async (budgetMs, patience) => {
    await watch(database, {
      on: "BEFORE INSERT",
      each: "ROW",
      table: "mcp_cleanup_runs",
      what: "current_setting('lock_timeout')",
      end: "RETURN NEW",
    });
    await run({ budgetMs });
    expect((await seenBy(database))[0]).toBe(patience);
  });

  test.each(["P0001", "P0004"])("a failure is its end, and is recorded: %s", async (code) => {
    await addTrigger(
      database,
      "INSERT",
      `IF NEW.outcome = 'running' THEN ${raise(code)}; END IF`,
      "mcp_cleanup_runs",
    );
    await addRun("completed");
    expect(await run()).toMatchObject({ outcome: "failed", error_code: code, deleted: "0", batches: 0 });
  });

  test("a failure after a wait is its end, too", async () => {
    await database.query(
      `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, outcome) VALUES ('immediate', 'manual', now(), now(), now(), 'running')`,
    );
    await database.query("CREATE SEQUENCE begun");
    await addTrigger(
      database,
      "INSERT",
      `IF NEW.outcome = 'running' THEN PERFORM nextval('begun'); ${raise("P0001")}; END IF`,
      "mcp_cleanup_runs",
    );
    const held = await heldOpen(database, "SELECT FROM mcp_cleanup_runs FOR UPDATE");
    const ended = run({ budgetMs: 3000 });
    // It looks at the record of the other run again and again.
    await database.query("SELECT pg_sleep(0.2)");
    await held.release();
    expect(await ended).toMatchObject({ outcome: "failed", error_code: "P0001" });
    expect(await valueOf(database, "(SELECT last_value::int FROM begun)")).toBe(1);
  });
});

describe("a scheduled run whose time has had a run", () => {
  const TIME = "2026-01-01T00:00:00Z";
  const begin = async (tier: string, trigger: string, time: string) =>
    (
      await database.query(
        `SELECT refusal, run_id IS NOT NULL AS begun
           FROM mcp_begin_cleanup_run('${tier}', '${trigger}', '${time}', '${time}', now())`,
      )
    )[0];

  test.each([
    ["completed, by cron", "cron", "completed", "regular", "cron", TIME, false],
    ["partial", "cron", "partial", "regular", "cron", TIME, true],
    ["by hand", "manual", "completed", "regular", "cron", TIME, true],
    ["and is now begun by hand", "cron", "completed", "regular", "manual", TIME, true],
    ["of the other tier", "cron", "completed", "immediate", "cron", TIME, true],
    ["a microsecond before", "cron", "completed", "regular", "cron", "2026-01-01T00:00:00.000001Z", true],
  ])("%s", async (_, trigger, outcome, tier, by, time, begins) => {
    await database.query(
      `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome)
       VALUES ('regular', '${trigger}', '${TIME}', now(), now(), now(), '${outcome}')`,
    );
    expect(await begin(tier, by, time)).toEqual({ refusal: begins ? null : "duplicate", begun: begins });
  });
});

describe("what comes before the sessions", () => {
  const atTidying = (body: string) =>
    addTrigger(
      database,
      "INSERT",
      `IF NEW.name = 'expired_until' THEN ${body}; END IF`,
      "mcp_session_totals",
    );

  test("waits for a tenth of a second, and may be lost in a crash", async () => {
    await database.query("CREATE TABLE seen (what text)");
    await atTidying(`INSERT INTO seen VALUES (${settings})`);
    await run();
    expect(await database.query("SELECT what FROM seen")).toEqual([{ what: "100ms off" }]);
  });

  test("is left when something is locked", async () => {
    await old("a");
    await run();
    await old("b");
    const held = await heldOpen(
      database,
      "SELECT FROM mcp_session_totals WHERE name = 'expired_until' FOR UPDATE",
    );
    const ended = await run();
    await held.release();
    expect(ended).toMatchObject({ outcome: "completed", deleted: "1" });
  });

  test.each(["57014", "P0001", "P0004"])("fails with %s, and the sessions go all the same", async (code) => {
    await old("a");
    await atTidying(raise(code));
    expect(await run()).toMatchObject({ outcome: "failed", error_code: code, deleted: "1" });
    expect(await keysOf(database)).toEqual([]);
  });
});

describe("what comes after the sessions", () => {
  test("is all that has expired, batch after batch, in transactions that a crash may lose", async () => {
    await addHandles(3);
    await watch(database, {
      on: "BEFORE DELETE",
      each: "ROW",
      table: "mcp_handles",
      what: `pg_current_xact_id() || ' ' || ${settings}`,
      end: "RETURN OLD",
    });
    expect(await run({ batchSize: 1 })).toMatchObject({ outcome: "completed" });
    expect(await handles()).toBe(0);
    const seen = (await seenBy(database)).map((text) => String(text).split(" "));
    expect(new Set(seen.map(([transaction]) => transaction)).size).toBe(3);
    expect(seen.map(([, ...rest]) => rest.join(" "))).toEqual(Array.from({ length: 3 }, () => "100ms off"));
  });

  test("is one batch after the deadline", async () => {
    await addHandles(2);
    await run({ batchSize: 1, budgetMs: 0 });
    expect(await handles()).toBe(1);
  });

  test("is left when it is locked, and is due at once", async () => {
    await addHandles(1);
    await database.query(
      "CREATE FUNCTION lock_handles() RETURNS void LANGUAGE plpgsql AS 'BEGIN LOCK TABLE mcp_handles; END'",
    );
    const held = await heldOpen(database, "SELECT lock_handles()");
    const ended = await run();
    await held.release();
    expect(ended).toMatchObject({ outcome: "completed", error_code: null });
    expect(Number(ended?.["earliest_expiry"])).toBeLessThanOrEqual(Date.now() + 60_000);
  });

  test("is none without the right", async () => {
    await database.query("REVOKE EXECUTE ON FUNCTION mcp_sweep_outlived FROM PUBLIC, mcp");
    await addHandles(1);
    expect(await run()).toMatchObject({ outcome: "completed", error_code: null });
    expect(await handles()).toBe(1);
  });

  test.each(["57014", "P0001", "P0004"])("fails with %s, which is the end of the run", async (code) => {
    await addHandles(1);
    await addTrigger(database, "DELETE", raise(code), "mcp_handles");
    await old("a");
    expect(await run()).toMatchObject({ outcome: "failed", error_code: code, deleted: "1" });
  });
});

describe("its record", () => {
  test("is its own, beside those of others", async () => {
    await addRun("failed", "'interrupted'");
    await old("a");
    const before = await database.query("SELECT * FROM mcp_cleanup_runs");
    expect(await run()).toMatchObject({ outcome: "completed", deleted: "1" });
    expect((await database.query("SELECT * FROM mcp_cleanup_runs ORDER BY run_id"))[0]).toEqual(before[0]);
  });

  test("stays as another one has closed it", async () => {
    await old("a", "b");
    // The first batch is taken for one of a dead run.
    await addTrigger(
      database,
      "DELETE",
      "UPDATE mcp_cleanup_runs SET outcome = 'failed', error_code = 'interrupted', finished_at = now() WHERE outcome = 'running'",
    );
    expect(await run({ batchSize: 1 })).toMatchObject({ outcome: "failed", error_code: "interrupted" });
  });

  test("has the age that its tier leaves", async () => {
    await database.query(
      `INSERT INTO mcp_sessions (session_id, principal, expires_at)
       VALUES ('young', 'me', now() - interval '90 seconds'), ('old', 'me', now() - interval '2 hours')`,
    );
    await run({ minAge: 3600 });
    expect(await keysOf(database)).toEqual(["young"]);
    expect(
      await valueOf(database, "(SELECT extract(epoch FROM started_at - cutoff)::int FROM mcp_cleanup_runs)"),
    ).toBe(3600);
  });

  test("is ended as one of many", async () => {
    for (let i = 0; i < 2; i++)
      await database.query(
        "INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, outcome) VALUES ('regular', 'manual', now(), now(), now(), 'running')",
      );
    await database.query("SELECT mcp_end_cleanup_run(min(run_id), 'completed', NULL) FROM mcp_cleanup_runs");
    const outcomes = await database.query("SELECT outcome FROM mcp_cleanup_runs ORDER BY run_id");
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(["completed", "running"]);
  });

  test("says nothing before 1970 of what it has not deleted", async () => {
    await database.query("INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('a', '1960-01-01')");
    const held = await heldOpen(database, "SELECT FROM mcp_sessions FOR UPDATE");
    const ended = await run();
    await held.release();
    expect(ended).toMatchObject({ outcome: "completed", deleted: "0", earliest_expiry: "0" });
  });

  test("says when the first of the rest of our table expires, and when nothing is listed", async () => {
    await addChild(database);
    await database.query(
      `INSERT INTO a_child (session_id, principal, expires_at) VALUES ('child', 'me', now() + interval '1 minute')`,
    );
    await database.query(
      `INSERT INTO mcp_sessions (session_id, principal, expires_at)
       VALUES ('first', 'me', '2099-01-01 00:00:00.5'), ('next', 'me', '2100-01-01')`,
    );
    expect(Number((await run())?.["earliest_expiry"])).toBe(Date.parse("2099-01-01T00:00:00.500Z"));
    await database.query("DELETE FROM ONLY mcp_sessions");
    expect(Number((await run())?.["earliest_expiry"])).toBe(8_640_000_000_000_000);
    await database.query(
      "INSERT INTO mcp_cleanup_blocked (session_id, reason, tried_at) VALUES ('listed', 'kept', now() + interval '1 hour')",
    );
    expect(await run()).toMatchObject({ earliest_expiry: null });
  });
});
