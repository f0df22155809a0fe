// An opening by itself, as the database does it: which rows it changes, at which instant, and what it counts.
import { beforeEach, describe, expect, test } from "vitest";
import { atOneInstant } from "../support/instant.ts";
import { heldOpen } from "../support/locks.ts";
import { addChild, addRows, insertOf, keysOf, seenBy, totalsOf, valueOf, watch } from "../support/rows.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
});
const opening = (key: string, limit = "2") =>
  `mcp_open_session('${key}', 'me', 'x', '{}', '{}', 300, NULL, ${limit})`;
const expired = { expires_at: "now() - interval '1 hour'" };

describe("an opening", () => {
  test("is one row of its lifetime, and counts itself and nothing else", async () => {
    expect(
      await atOneInstant(
        database,
        [`PERFORM ${opening("new")}`],
        "SELECT array_agg(expires_at = now() + interval '300 seconds') FROM mcp_sessions",
      ),
    ).toEqual([true]);
    expect(await totalsOf(database)).toEqual({ sessions_opened: 1 });
  });

  test("waits for its principal's turn", async () => {
    const held = await heldOpen(
      database,
      "SELECT pg_advisory_xact_lock(hashtext('mcp_open_session'), hashtext('me'))",
    );
    const end = await database
      .query(`SELECT set_config('lock_timeout', '200', true), ${opening("new")}`)
      .then(() => "opened", String);
    await held.release();
    expect(end).toContain("lock timeout");
  });

  test("that is kept out says so, whoever else has rows, and one that is repeated has evicted none", async () => {
    await addRows(database, ["other"]);
    await addChild(database);
    await addRows(database, ["new", {}, "a_child"]);
    await database.query(
      `CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
    );
    await database.query(
      "CREATE TRIGGER keep_out BEFORE INSERT ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION keep_out()",
    );
    expect(await valueOf(database, opening("new"))).toBeNull();
    expect(await valueOf(database, opening("other"))).toBe(0);
    expect(await totalsOf(database)).toEqual({});
  });

  test("without a limit evicts and deletes nothing", async () => {
    await addRows(database, ["a"], ["b"], ["c"], ["dead", expired]);
    expect(await valueOf(database, opening("new", "NULL"))).toBe(0);
    expect(await keysOf(database, "ended_at IS NULL")).toEqual(["a", "b", "c", "dead", "new"]);
  });

  test.each([
    ["at the limit evicts the least recently used in one statement", {}],
    ["evicts one of which no use is known in one statement", { last_active: "NULL" }],
  ])("%s", async (_, columns) => {
    await addRows(database, ["a", columns], ["b", { last_active: "now() - interval '1 minute'" }]);
    await watch(database, { on: "AFTER UPDATE", each: "STATEMENT" });
    expect(await valueOf(database, opening("new"))).toBe(1);
    expect(await keysOf(database, "ended_at IS NULL")).toEqual(["b", "new"]);
    expect(await seenBy(database)).toEqual(["fired"]);
    expect(await totalsOf(database)).toEqual({ "sessions_ended/evicted": 1, sessions_opened: 1 });
  });

  test("tries three times to evict what a trigger keeps", async () => {
    await addRows(database, ["a"], ["b"]);
    await watch(database, { on: "BEFORE UPDATE", each: "ROW", what: "new.session_id" });
    expect(await valueOf(database, opening("new"))).toBe(0);
    expect(await seenBy(database)).toEqual(["a", "a", "a"]);
  });

  test("counts no session of another program's table, and changes none", async () => {
    await addChild(database);
    await addRows(database, ["a"], ["a", {}, "a_child"], ["x", { last_active: "now()" }, "a_child"]);
    expect(await valueOf(database, opening("new"))).toBe(0);
    await addRows(database, ["b", { last_active: "now()" }]);
    await database.query("DELETE FROM ONLY mcp_sessions WHERE session_id = 'new'");
    const held = await heldOpen(database, "SELECT FROM a_child FOR UPDATE");
    const evicted = await database
      .query(`SELECT ${opening("new")} AS value FROM set_config('lock_timeout', '200', true)`)
      .catch(String);
    await held.release();
    expect(evicted).toEqual([{ value: 1 }]);
    expect(await database.query("SELECT FROM a_child WHERE ended_at IS NOT NULL")).toEqual([]);
    expect(await keysOf(database, "ended_at IS NOT NULL")).toEqual(["a"]);
  });
});

describe("an opening with more dead sessions than the limit", () => {
  const dead = (minutesAgo: number, columns = {}) => ({
    expires_at: `now() - interval '${minutesAgo} minutes'`,
    ...columns,
  });
  const ended = (ago: string, reason = "'client'") => ({
    expires_at: "now()",
    ended_at: `now() - interval '${ago}'`,
    end_reason: reason,
  });
  const left = () => keysOf(database, "session_id <> 'new'");

  test("deletes the oldest of its principal's, and counts them", async () => {
    await addRows(database, ["a", dead(3)], ["b", dead(2)], ["c", dead(1)], ["d", dead(4)]);
    await addRows(database, ["of-another", dead(9, { principal: "'you'" })], ["live"]);
    await watch(database, { on: "BEFORE DELETE", each: "STATEMENT" });
    await database.query(`SELECT ${opening("new")}`);
    expect(await left()).toEqual(["b", "c", "live", "of-another"]);
    expect(await totalsOf(database)).toEqual({ "sessions_deleted/opening": 2, sessions_opened: 1 });
    // Nothing beside the deletion, because all could be deleted.
    expect(await seenBy(database)).toEqual(["fired"]);
  });

  test("takes those that expire at this instant, and not those that never do", async () => {
    await database.query("ALTER TABLE mcp_sessions ALTER expires_at DROP NOT NULL");
    await addRows(
      database,
      ["never", { expires_at: "NULL" }],
      ["later", { expires_at: "now() + interval '1 day'" }],
    );
    await addRows(database, ["b", dead(1)]);
    await atOneInstant(
      database,
      [
        insertOf("at-once", { expires_at: "now()" }),
        insertOf("c", { expires_at: "now()" }),
        `PERFORM ${opening("new", "3")}`,
      ],
      "SELECT 1",
    );
    expect(await left()).toEqual(["at-once", "b", "c", "later", "never"]);
    await atOneInstant(
      database,
      [insertOf("d", { expires_at: "now()" }), `PERFORM ${opening("another", "3")}`],
      "SELECT 1",
    );
    expect(await left()).toEqual(["another", "at-once", "c", "d", "later", "never"]);
  });

  test("keeps what was ended in the last two minutes, unless it was evicted", async () => {
    await atOneInstant(
      database,
      [
        insertOf("now", ended("1 second")),
        insertOf("at-two", ended("120 seconds")),
        insertOf("beyond", ended("120.000001 seconds")),
        insertOf("evicted", ended("1 second", "'evicted'")),
        insertOf("expired", dead(0)),
        `PERFORM ${opening("new", "1")}`,
      ],
      "SELECT 1",
    );
    // Of the three that may go the first name stays.
    expect(await left()).toEqual(["at-two", "beyond", "now"]);
  });

  test("leaves out what is listed, and nothing else", async () => {
    await addRows(database, ["a", dead(4)], ["b", dead(3)], ["c", dead(2)], ["d", dead(1)]);
    await database.query("INSERT INTO mcp_cleanup_blocked VALUES ('a', 'kept', now())");
    await database.query(`SELECT ${opening("new")}`);
    expect(await left()).toEqual(["a", "c", "d"]);
  });

  test("takes none of another program's table, and waits for none", async () => {
    await addChild(database);
    await addRows(
      database,
      ["a", dead(1)],
      ["b", dead(2)],
      ["x", dead(9), "a_child"],
      ["y", dead(9), "a_child"],
    );
    await watch(database, { on: "BEFORE DELETE", each: "STATEMENT" });
    await database.query(`SELECT ${opening("new")}`);
    expect([await left(), await seenBy(database)]).toEqual([["a", "b"], []]);
    await addRows(database, ["c", dead(3)], ["kept", dead(4)]);
    await database.query(
      `CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
    );
    await database.query(
      "CREATE TRIGGER keep BEFORE DELETE ON mcp_sessions FOR EACH ROW WHEN (old.session_id = 'kept') EXECUTE FUNCTION keep()",
    );
    await database.query(
      "CREATE FUNCTION lock_child() RETURNS void LANGUAGE plpgsql AS 'BEGIN LOCK TABLE a_child IN SHARE MODE; END'",
    );
    const held = await heldOpen(database, "SELECT lock_child()");
    await database.query(`SELECT ${opening("another")}`);
    await held.release();
    expect(await left()).toEqual(["a", "another", "b", "kept"]);
    expect((await totalsOf(database))["sessions_deleted/opening"]).toBe(1);
  });

  test("gives up a lock after a tenth of a second, and leaves the limit of its caller as it was", async () => {
    await addRows(database, ["a", dead(3)], ["b", dead(2)], ["c", dead(1)]);
    await watch(database, {
      on: "BEFORE DELETE",
      each: "ROW",
      what: "current_setting('lock_timeout')",
      end: "RETURN old",
    });
    expect(
      await atOneInstant(
        database,
        ["PERFORM set_config('lock_timeout', '7s', true)", `PERFORM ${opening("new")}`],
        "SELECT current_setting('lock_timeout')",
      ),
    ).toBe("7s");
    expect(await seenBy(database)).toEqual(["100ms"]);
  });

  test("is opened all the same when they cannot be deleted, and counts none", async () => {
    for (const failure of ["ASSERT false", "RAISE EXCEPTION 'no'"]) {
      await database.query("DELETE FROM mcp_sessions");
      await database.query("DELETE FROM mcp_session_totals");
      await addRows(database, ["a", dead(3)], ["b", dead(2)], ["c", dead(1)]);
      await database.query(
        `CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN ${failure.replaceAll("'", "''")}; RETURN NULL; END'`,
      );
      await database.query(
        "CREATE OR REPLACE TRIGGER refuse BEFORE DELETE ON mcp_sessions FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
      );
      await database.query(`SELECT ${opening("new")}`);
      expect(await left()).toEqual(["a", "b", "c"]);
      expect(await totalsOf(database)).toEqual({ sessions_opened: 1 });
      await database.query("DROP TRIGGER refuse ON mcp_sessions");
    }
  });
});
