// A session that is still there although its deletion succeeded: the same run notices it, lists it, and goes on.
import { describe, expect, test } from "vitest";
import { addExpired, runsOf, storeOf } from "../support/cleanup.ts";
import { run } from "../support/health.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const ROWS = 6000;

const clean = (database: TestDatabase, settings = {}) =>
  storeOf(database, settings).clean("regular", new Date());

const countOf = async ({ query }: TestDatabase, where = "true") =>
  Number((await query(`SELECT count(*) FROM mcp_sessions WHERE ${where}`))[0]?.["count"]);

const triggers = (when: string, body: string, each = "FOR EACH ROW") => [
  `CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} END $$`,
  `CREATE ${when} ON mcp_sessions ${each} EXECUTE FUNCTION keep()`,
];

// Each keeps the sessions whose id ends with 7.
const keepers: Record<string, string[]> = {
  "a trigger that swallows the deletion": triggers(
    "TRIGGER keep BEFORE DELETE",
    "RETURN CASE WHEN OLD.session_id NOT LIKE '%7' THEN OLD END;",
  ),
  "a trigger with a condition": triggers(
    "TRIGGER keep BEFORE DELETE",
    "RETURN NULL;",
    "FOR EACH ROW WHEN (OLD.session_id LIKE '%7')",
  ),
  "a trigger that marks the row instead": [
    "ALTER TABLE mcp_sessions ADD COLUMN deleted boolean DEFAULT false",
    ...triggers(
      "TRIGGER keep BEFORE DELETE",
      `IF OLD.session_id NOT LIKE '%7' THEN RETURN OLD; END IF;
       UPDATE mcp_sessions SET deleted = true WHERE session_id = OLD.session_id; RETURN NULL;`,
    ),
  ],
  "a trigger that inserts the row again": triggers(
    "TRIGGER keep AFTER DELETE",
    "INSERT INTO mcp_sessions SELECT OLD.*; RETURN NULL;",
    "FOR EACH ROW WHEN (OLD.session_id LIKE '%7')",
  ),
  "a deferred trigger that inserts the row again": triggers(
    "CONSTRAINT TRIGGER keep AFTER DELETE",
    "INSERT INTO mcp_sessions SELECT OLD.*; RETURN NULL;",
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.session_id LIKE '%7')",
  ),
  "a trigger of the statement that inserts rows again": triggers(
    "TRIGGER keep AFTER DELETE",
    "INSERT INTO mcp_sessions SELECT * FROM gone WHERE session_id LIKE '%7'; RETURN NULL;",
    "REFERENCING OLD TABLE AS gone FOR EACH STATEMENT",
  ),
  "a rule with a condition": [
    "CREATE RULE keep AS ON DELETE TO mcp_sessions WHERE OLD.session_id LIKE '%7' DO INSTEAD NOTHING",
  ],
  "a policy": [
    "ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    "CREATE POLICY everything ON mcp_sessions USING (true)",
    "CREATE POLICY keep ON mcp_sessions AS RESTRICTIVE FOR DELETE USING (session_id NOT LIKE '%7')",
  ],
};

describe.each(Object.entries(keepers))("%s", (_name, statements) => {
  test.each([
    ["of a small table", 1000, "i", ""],
    ["of a larger one in the order of their expiry", ROWS, "i", "repeat('x', 1400)"],
    ["of a larger one in another order", ROWS, `(i * 4099::bigint) % ${ROWS}`, "repeat('x', 1400)"],
  ])(
    "keeps some sessions %s: one run deletes all others and lists those",
    async (_table, rows, position, padding) => {
      const database = await createDatabase();
      await database.query(
        `INSERT INTO mcp_sessions (session_id, client_info, expires_at)
       SELECT i::text, jsonb_build_object('padding', ${padding || "''"}), now() - interval '1 day' - (${position}) * interval '5 s'
         FROM generate_series(1, ${rows}) i`,
      );
      await database.query(
        "INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('live', now() + interval '1 h')",
      );
      await run(...statements)(database);
      const kept = rows / 10;
      const whole = {
        outcome: "completed",
        deleted: rows - kept,
        blocked: kept,
        blockedBy: "kept",
        errorCode: null,
      };
      expect(await clean(database, { batchSize: 100 })).toMatchObject(whole);
      expect(await countOf(database)).toBe(kept + 1);
      expect(await countOf(database, "session_id LIKE '%7'")).toBe(kept);
      expect(
        await database.query("SELECT count(*)::int, min(reason), max(reason) FROM mcp_cleanup_blocked"),
      ).toEqual([{ count: kept, min: "kept", max: "kept" }]);
      // The next run tries them again and comes to the same end.
      expect(await clean(database)).toMatchObject({ outcome: "completed", deleted: 0, blocked: kept });
    },
  );
});

test.each(["i", `(i * 4099::bigint) % ${ROWS}`])(
  "two that a trigger keeps among thousands are listed by the same run: %s",
  async (position) => {
    const database = await createDatabase();
    await database.query(
      `INSERT INTO mcp_sessions (session_id, client_info, expires_at)
       SELECT (${position})::text, jsonb_build_object('padding', repeat('x', 1400)), now() - interval '1 day' - (${position}) * interval '5 s'
         FROM generate_series(1, ${ROWS}) i`,
    );
    // None of them is in the first batch.
    await run(
      ...triggers(
        "TRIGGER keep BEFORE DELETE",
        "RETURN NULL;",
        "FOR EACH ROW WHEN (OLD.session_id IN ('2000', '3000'))",
      ),
    )(database);
    expect(await clean(database, { batchSize: 100 })).toMatchObject({
      outcome: "completed",
      deleted: ROWS - 2,
      blocked: 2,
      blockedBy: "kept",
    });
  },
);

test("a rule that keeps every session costs milliseconds, and every session is listed", async () => {
  const database = await createDatabase();
  await addExpired(database, 3000);
  await database.query("CREATE RULE keep AS ON DELETE TO mcp_sessions DO INSTEAD NOTHING");
  expect(await clean(database, { timeBudgetMs: 300_000 })).toMatchObject({
    outcome: "completed",
    deleted: 0,
    blocked: 3000,
    blockedBy: "kept",
  });
});

test.each([
  ["logs", "CREATE RULE log AS ON DELETE TO mcp_sessions DO ALSO INSERT INTO log VALUES (OLD.session_id)"],
  ["moves", "CREATE TRIGGER log BEFORE DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION move()"],
])("what only %s what is deleted keeps nothing", async (_does, statement) => {
  const database = await createDatabase();
  await addExpired(database, 300);
  await run(
    "CREATE TABLE log (session_id text)",
    `CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN INSERT INTO log VALUES (OLD.session_id); RETURN OLD; END $$`,
    statement,
  )(database);
  expect(await clean(database, { batchSize: 100 })).toMatchObject({
    outcome: "completed",
    deleted: 300,
    blocked: 0,
    blockedBy: null,
  });
  expect(await database.query("SELECT count(*)::int FROM log")).toEqual([{ count: 300 }]);
  expect((await runsOf(database))[0]).toMatchObject({ outcome: "completed" });
});

test("a session that a trigger revives instead is live, and not listed", async () => {
  const database = await createDatabase();
  await addExpired(database, 10);
  await run(
    ...triggers(
      "TRIGGER keep BEFORE DELETE",
      `UPDATE mcp_sessions SET expires_at = now() + interval '1 day' WHERE session_id = OLD.session_id; RETURN NULL;`,
      "FOR EACH ROW WHEN (OLD.session_id = 'expired-7')",
    ),
  )(database);
  expect(await clean(database)).toMatchObject({ outcome: "completed", deleted: 9, blocked: 0 });
  expect(await countOf(database)).toBe(1);
});
