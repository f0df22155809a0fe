// The counted batches of a run, one after the other: with which limits, and what follows upon trouble.
import { beforeEach, describe, expect, test } from "vitest";
import { poll } from "../support/cleanup.ts";
import { heldOpen, lockSessions } from "../support/locks.ts";
import { addFullChild, leftInChild } from "../support/rows.ts";
import { type Batches, createBatches, raise, STARTED } from "./batches.ts";
import { notedSteps } from "./steps.ts";

let batches: Batches;
beforeEach(async () => {
  batches = await createBatches();
});
describe("counted batches", () => {
  test("go on from where the last one ended, until one is not full, each in its own transaction", async () => {
    await batches.add({ a: "2026-01-01", b: "2026-01-02", c: "2026-01-03", live: "2999-01-01" });
    await batches.database.query("CREATE TABLE seen (transaction xid8, commit text)");
    await batches.before(
      "ROW",
      "INSERT INTO seen VALUES (pg_current_xact_id(), current_setting('synchronous_commit'))",
    );
    expect(await batches.run()).toMatchObject({
      ending: "completed",
      failure: null,
      is_first: false,
      deleted: 3,
      batches: 2,
      renewed: true,
    });
    expect(await batches.left()).toEqual(["live"]);
    expect(await batches.steps()).toEqual([
      "counted 2 from -infinity @500",
      "choose",
      "counted 2 from 2026-01-02 @500",
    ]);
    expect(
      await batches.database.query(
        "SELECT count(DISTINCT transaction)::int AS transactions, array_agg(DISTINCT commit) AS commit FROM seen",
      ),
    ).toEqual([{ transactions: 2, commit: ["off"] }]);
  });

  test("with one that is not full are all there is, and choose nothing", async () => {
    await batches.old("a");
    expect(await batches.run()).toMatchObject({
      ending: "completed",
      is_first: true,
      deleted: 1,
      batches: 1,
    });
    expect(await batches.steps()).toEqual(["counted 2 from -infinity @500"]);
  });

  test("that delete nothing are none", async () => {
    expect(await batches.run()).toMatchObject({ ending: "completed", deleted: 0, batches: 0 });
  });

  test("choose no bulk where sessions may be kept", async () => {
    await batches.old("a", "b");
    await batches.run({ mayBeKept: true });
    expect((await batches.steps())[1]).toBe("counted 2 from 2026-01-05 @500");
  });

  test("choose no bulk when one of them was kept", async () => {
    await batches.old("a", "kept");
    await batches.before("ROW", "IF old.session_id = 'kept' THEN RETURN NULL; END IF");
    expect(await batches.run()).toMatchObject({ ending: "completed", is_first: false });
    expect(await batches.steps()).not.toContain("choose");
    expect(await batches.blocked()).toEqual({ kept: "kept" });
  });

  test("keep what was ended in the last two minutes", async () => {
    await batches.old("before", "at");
    await batches.database.query(
      `UPDATE mcp_sessions SET ended_at = timestamptz '${STARTED}' - interval '2 minutes'
          - CASE session_id WHEN 'before' THEN interval '1 microsecond' ELSE interval '0' END`,
    );
    await batches.run();
    expect(await batches.left()).toEqual(["at"]);
  });

  test.each([
    [7, "@7"],
    [0, "@1"],
  ])("wait for a lock no longer than the whole time: %i ms", async (budgetMs, patience) => {
    await batches.run({ budgetMs });
    expect((await batches.steps())[0]).toContain(patience);
  });

  test("after the deadline there is no more of them", async () => {
    await batches.old("a", "b", "c");
    expect(await batches.run({ deadline: "'-infinity'" })).toMatchObject({ ending: "partial", deleted: 2 });
  });

  test("of a run that another one took for dead there are none", async () => {
    await batches.old("a");
    expect(await batches.run({ outcome: "completed" })).toMatchObject({
      ending: null,
      deleted: 0,
      renewed: false,
    });
    expect(await batches.left()).toEqual(["a"]);
  });

  test("that take long are followed by smaller ones, of one session at least", async () => {
    await batches.old("a", "b", "c");
    await batches.before("ROW", "PERFORM pg_sleep(CASE old.session_id WHEN 'c' THEN 0 ELSE 0.6 END)");
    expect(await batches.run({ mayBeKept: true })).toMatchObject({ ending: "completed", deleted: 3 });
    expect(await batches.steps()).toMatchObject([
      expect.stringMatching(/^counted 2 /),
      expect.stringMatching(/^counted 1 /),
      expect.anything(),
    ]);
  });
});

describe("trouble with a counted batch", () => {
  test("is of one session, which is listed with its reason while all others go", async () => {
    await batches.add({ bad: "2026-01-01", b: "2026-01-02", c: "2026-01-03", live: "2999-01-01" });
    await batches.failFor("bad");
    expect(await batches.run({ batchSize: 3 })).toMatchObject({
      ending: "completed",
      failure: null,
      deleted: 2,
    });
    expect([await batches.left(), await batches.blocked()]).toEqual([["bad", "live"], { bad: "23503" }]);
    expect(await batches.steps()).toEqual([
      "counted 3 from -infinity @500",
      "find 3 @100",
      "single 3 @100",
      "single 2 @100",
      "counted 3 without listed from -infinity @500",
    ]);
  });

  test("goes on when only one was found", async () => {
    await batches.old("bad");
    await batches.failFor("bad");
    expect(await batches.run()).toMatchObject({ ending: "completed", deleted: 0, batches: 0 });
    expect(await batches.blocked()).toEqual({ bad: "23503" });
  });

  test("does not make it the first full one, upon which a form is chosen", async () => {
    await batches.add({ bad: "2026-01-01", b: "2026-01-02", c: "2026-01-03", d: "2026-01-04" });
    await batches.failFor("bad");
    expect(await batches.run()).toMatchObject({ ending: "completed", deleted: 3 });
    expect((await batches.steps()).slice(-3)).toEqual([
      "counted 2 without listed from -infinity @500",
      "choose",
      "counted 2 without listed from 2026-01-04 @500",
    ]);
  });

  test.each(["P0004", "23503"])("may come from a deferred trigger: %s", async (code) => {
    await batches.old("a", "bad");
    await batches.database.query(
      `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${raise(code)}; END $$`,
    );
    await batches.database.query(
      `CREATE CONSTRAINT TRIGGER t AFTER DELETE ON mcp_sessions DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW WHEN (old.session_id = 'bad') EXECUTE FUNCTION fail()`,
    );
    expect(await batches.run()).toMatchObject({ ending: "completed", deleted: 1 });
    expect(await batches.blocked()).toEqual({ bad: code });
  });

  test("is a session's, also when it waits for a lock", async () => {
    await batches.old("a", "bad");
    await batches.failFor("bad", "55P03");
    expect(await batches.run()).toMatchObject({ ending: "completed", deleted: 1 });
    expect(await batches.blocked()).toEqual({ bad: "55P03" });
  });

  test("is the table's when that is locked, and is waited for", async () => {
    await batches.old("a");
    const held = await lockSessions(batches.database);
    const ended = batches.run();
    const again = async () => (await batches.steps()).slice(1).filter((step) => step.startsWith("counted"));
    await poll(again);
    await held.release();
    expect(await ended).toMatchObject({ ending: "completed", failure: null, deleted: 1 });
  });

  test.each(["53100", "57014", "58030"])(
    "that is the server's ends the run, and tries none alone: %s",
    async (code) => {
      await batches.old("a");
      await batches.failFor("a", code);
      expect(await batches.run()).toMatchObject({ ending: "failed", failure: code, deleted: 0 });
      expect(await batches.steps()).toHaveLength(1);
    },
  );

  test("that is the server's ends the run, also when sessions are tried alone", async () => {
    await batches.old("a", "b");
    // 100 ms is how long one waits for a lock then.
    await batches.before(
      "ROW",
      `IF current_setting('lock_timeout') = '100ms' THEN ${raise("53100")}; END IF; ${raise("23503")}`,
    );
    expect(await batches.run()).toMatchObject({ ending: "failed", failure: "53100" });
    expect(await batches.blocked()).toEqual({});
  });

  test.each(["42501", "57014", "P0004"])(
    "that each deletion has ends the run, and lists none: %s",
    async (code) => {
      await batches.old("a");
      // What a statement comes to, and not what a counted batch does.
      await batches.before(
        "STATEMENT",
        `IF current_setting('lock_timeout') = '500ms' THEN ${raise("P0001")}; END IF; ${raise(code)}`,
      );
      expect(await batches.run()).toMatchObject({ ending: "failed", failure: code });
      expect(await batches.blocked()).toEqual({});
    },
  );

  test("with the list itself ends the run", async () => {
    await batches.old("bad");
    await batches.failFor("bad");
    await batches.database.query(
      `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${raise("42501")}; END $$`,
    );
    await batches.database.query(
      "CREATE TRIGGER t BEFORE INSERT ON mcp_cleanup_blocked FOR EACH ROW EXECUTE FUNCTION fail()",
    );
    expect(await batches.run()).toMatchObject({ ending: "failed", failure: "42501" });
  });

  test("waits for no lock of another program's table", async () => {
    await addFullChild(batches.database);
    await batches.old("bad", "b");
    await batches.failFor("bad");
    await batches.database.query(
      "CREATE FUNCTION lock_child() RETURNS void LANGUAGE plpgsql AS 'BEGIN LOCK TABLE a_child IN SHARE MODE; END'",
    );
    const held = await heldOpen(batches.database, "SELECT lock_child()");
    const ended = await batches.run({ deadline: "clock_timestamp() + interval '2 seconds'" });
    await held.release();
    expect(ended).toMatchObject({ ending: "completed", deleted: 1 });
    expect(await leftInChild(batches.database)).toBe(10);
  });
});

describe("what is listed is tried again at the end", () => {
  test("once, and not what was tried since the run began", async () => {
    await batches.old("a", "b", "since");
    for (const id of ["a", "b"]) await batches.list(id);
    await batches.list("since", STARTED);
    expect(await batches.run({ isAnyListed: true })).toMatchObject({
      ending: "completed",
      deleted: 2,
      batches: 1,
    });
    expect([await batches.left(), await batches.blocked()]).toEqual([["since"], { since: "23503" }]);
    expect(await batches.steps()).toEqual(["counted 2 without listed from -infinity @500", "single 2 @100"]);
  });

  test("only when others are done", async () => {
    await batches.old("a", "b", "listed");
    await batches.list("listed");
    await batches.run({ isAnyListed: true });
    expect((await batches.steps()).at(-1)).toBe("single 1 @100");
  });
});

test("one by one takes as long as a bulk batch at most", async () => {
  await batches.old("bad");
  await batches.failFor("bad");
  await batches.run({ batchSize: 2000 });
  const [fromNow, fromLease] =
    (await notedSteps(batches.database)).find(({ text }) => text.startsWith("single"))?.until ?? [];
  expect(fromNow).toBeLessThanOrEqual(20_000);
  expect(fromLease).toBeGreaterThanOrEqual(20_000);
});
