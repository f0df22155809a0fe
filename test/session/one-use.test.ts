// A use of a session by itself, as the database does it: whether it is written, until when it extends, and what it waits for.
import { beforeEach, describe, expect, test } from "vitest";
import { atOneInstant } from "../support/instant.ts";
import { heldOpen } from "../support/locks.ts";
import { addChild, addRows, insertOf, valueOf } from "../support/rows.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
});
const use = (key: string, maxLifetimeSeconds = "NULL") =>
  `mcp_resume_session('${key}', 'me', 4800, ${maxLifetimeSeconds}, 60)`;

describe("a use", () => {
  /** Whether the expiry of `a` is an expression's. */
  const expiry = async (statements: string[], expected: string) =>
    await atOneInstant(
      database,
      statements,
      `SELECT expires_at = (${expected}) FROM ONLY mcp_sessions WHERE session_id = 'a'`,
    );

  test("extends to the next multiple of a 48th of the lifetime beyond it", async () => {
    // A lifetime is as many steps, so the next multiple beyond it is that of now, moved by it.
    expect(
      await expiry(
        [insertOf("a"), `PERFORM ${use("a")}`],
        "to_timestamp(floor(extract(epoch FROM now()) / 100) * 100) + interval '4900 seconds'",
      ),
    ).toBe(true);
  });

  test("extends by half an hour at most beyond it", async () => {
    // The end of this lifetime is 25 hours and 15 minutes after the last full hour.
    const ttl = "(90900 - floor(extract(epoch FROM now()))::bigint % 3600)::integer";
    expect(
      await expiry(
        [insertOf("a"), `PERFORM mcp_resume_session('a', 'me', ${ttl}, NULL, 60)`],
        "date_trunc('hour', now()) + interval '25 hours 30 minutes'",
      ),
    ).toBe(true);
  });

  test("extends to the end of the maximum lifetime at most", async () => {
    const created = { created_at: "now() - interval '1000 seconds'" };
    expect(
      await expiry([insertOf("a", created), `PERFORM ${use("a", "1500")}`], "now() + interval '500 seconds'"),
    ).toBe(true);
  });

  const written = (columns: Record<string, string>) =>
    atOneInstant(
      database,
      [insertOf("a", columns), `PERFORM ${use("a")}`],
      "SELECT last_active = now() FROM mcp_sessions",
    );
  test.each([
    ["was a moment ago is not written", { last_active: "now() - interval '1 second'" }, false],
    ["is unknown is written", { last_active: "NULL" }, true],
    ["is in the future is written", { last_active: "now() + interval '1 hour'" }, true],
    [
      "was the opening is written",
      { last_active: "now() - interval '1 second'", created_at: "now() - interval '1 second'" },
      true,
    ],
  ])("after a last one that %s", async (_, columns, isWritten) => {
    expect(await written(columns)).toBe(isWritten);
  });

  test("may be lost by a crash, and is one of our table", async () => {
    await addChild(database);
    const lately = { last_active: "now() - interval '1 second'" };
    await addRows(database, ["a"], ["a", {}, "a_child"], ["b", lately, "a_child"], ["x", {}, "a_child"]);
    expect(
      await atOneInstant(
        database,
        [`PERFORM ${use("a")}`, `PERFORM ${use("x")}`],
        "SELECT current_setting('synchronous_commit')",
      ),
    ).toBe("off");
    expect(
      await database.query(
        "SELECT session_id AS id FROM a_child WHERE last_active > now() - interval '5 minutes'",
      ),
    ).toEqual([{ id: "b" }]);
    for (const key of ["b", "x"])
      expect(await valueOf(database, `(SELECT count(*)::int FROM ${use(key)})`)).toBe(0);
  });

  /** Uses `a` while a change of it waits to be committed. */
  async function meanwhile(change: string) {
    await addRows(database, ["a"]);
    const held = await heldOpen(
      database,
      `UPDATE mcp_sessions SET ${change} WHERE session_id = 'a' RETURNING 1`,
    );
    const using = database.query(`SELECT last_active < now() AS is_as_found FROM ${use("a")}`);
    await held.waitedFor();
    await held.release();
    return await using;
  }
  const isWritten = () =>
    valueOf(database, "(SELECT last_active > now() - interval '5 minutes' FROM mcp_sessions)");

  test.each([
    ["becomes another's", "principal = 'you'"],
    ["becomes nobody's", "principal = NULL"],
    ["expires", "expires_at = now()"],
    ["ends", "ended_at = now()"],
  ])("of a session that %s meanwhile finds and writes nothing", async (_, change) => {
    expect(await meanwhile(change)).toEqual([]);
    expect(await isWritten()).toBe(false);
  });

  test.each([
    [
      "has been used finds it, and leaves that use",
      "last_active = clock_timestamp() - interval '1 second'",
      true,
    ],
    ["was used in the future is written over", "last_active = now() + interval '1 hour'", false],
    ["lost its last use is written", "last_active = NULL", false],
    [
      "has its opening for its last use is written",
      "(last_active, created_at) = (now() - interval '1 second', now() - interval '1 second')",
      false,
    ],
  ])("of a session that meanwhile %s", async (_, change, isAsFound) => {
    expect(await meanwhile(change)).toEqual([{ is_as_found: isAsFound }]);
    expect(await isWritten()).toBe(true);
  });
});
