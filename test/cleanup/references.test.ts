// Foreign keys of other programs to mcp_sessions, in all their forms: a run deletes what they allow, and lists the rest.
import { describe, expect, test } from "vitest";
import { addExpired, at, HOUR, storeOf } from "../support/cleanup.ts";
import { run } from "../support/health.ts";
import { addSessions, createDatabase, remaining, type TestDatabase } from "../support/worker.ts";

const clean = (database: TestDatabase, settings = {}) =>
  storeOf(database, settings).clean("regular", new Date());

interface Obstacle {
  statements: string[];
  reason: string;
}

// Each keeps the session expired-500, and no other.
const obstacles: Record<string, Obstacle> = {
  "a key that sets a default which is no session": {
    statements: [
      "CREATE TABLE calls (session_id text DEFAULT 'none' REFERENCES mcp_sessions ON DELETE SET DEFAULT)",
      "INSERT INTO calls VALUES ('expired-500')",
    ],
    reason: "23503",
  },
  "a key that is deferrable, and checked at once": {
    statements: [
      "CREATE TABLE calls (session_id text REFERENCES mcp_sessions DEFERRABLE INITIALLY IMMEDIATE)",
      "INSERT INTO calls VALUES ('expired-500')",
    ],
    reason: "23503",
  },
  "a key of two columns": {
    statements: [
      "UPDATE mcp_sessions SET principal = 'someone'",
      "ALTER TABLE mcp_sessions ADD UNIQUE (session_id, principal)",
      `CREATE TABLE calls (session_id text, owner text,
         FOREIGN KEY (session_id, owner) REFERENCES mcp_sessions (session_id, principal) DEFERRABLE INITIALLY DEFERRED)`,
      "INSERT INTO calls VALUES ('expired-500', 'someone')",
    ],
    reason: "23503",
  },
  "a key behind one that cascades": {
    statements: [
      "CREATE TABLE calls (id int PRIMARY KEY, session_id text REFERENCES mcp_sessions ON DELETE CASCADE)",
      "CREATE TABLE results (call int REFERENCES calls)",
      "INSERT INTO calls SELECT i, 'expired-' || i FROM generate_series(490, 510) i",
      "INSERT INTO results VALUES (500)",
    ],
    reason: "23503",
  },
  "a key behind one that cascades, which restricts": {
    statements: [
      "CREATE TABLE calls (id int PRIMARY KEY, session_id text REFERENCES mcp_sessions ON DELETE CASCADE)",
      "CREATE TABLE results (call int REFERENCES calls ON DELETE RESTRICT)",
      "INSERT INTO calls SELECT i, 'expired-' || i FROM generate_series(490, 510) i",
      "INSERT INTO results VALUES (500)",
    ],
    reason: "23",
  },
  "a trigger on the rows that a deletion cascades to": {
    statements: [
      "CREATE TABLE calls (session_id text REFERENCES mcp_sessions ON DELETE CASCADE)",
      "INSERT INTO calls SELECT 'expired-' || i FROM generate_series(490, 510) i",
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF OLD.session_id = 'expired-500' THEN RAISE EXCEPTION 'no'; END IF; RETURN OLD; END $$`,
      "CREATE TRIGGER refuse BEFORE DELETE ON calls FOR EACH ROW EXECUTE FUNCTION refuse()",
    ],
    reason: "P0001",
  },
  "a partitioned table that refers to it": {
    statements: [
      "CREATE TABLE calls (session_id text REFERENCES mcp_sessions) PARTITION BY LIST (session_id)",
      "CREATE TABLE other_calls PARTITION OF calls DEFAULT",
      "INSERT INTO calls VALUES ('expired-500')",
    ],
    reason: "23503",
  },
};

describe.each(Object.entries(obstacles))("%s", (_name, { statements, reason }) => {
  test("keeps its session and no other", async () => {
    const database = await createDatabase();
    await addExpired(database, 1000);
    await addSessions(database, { live: at(new Date(), HOUR) });
    await run(...statements)(database);
    const report = await clean(database, { batchSize: 100 });
    expect(report).toMatchObject({ outcome: "completed", deleted: 999, blocked: 1 });
    expect(report.blockedBy).toContain(reason);
    expect(await remaining(database)).toEqual(["expired-500", "live"]);
    await run("DROP TABLE calls CASCADE")(database);
    expect(await clean(database)).toMatchObject({ outcome: "completed", deleted: 1, blocked: 0 });
  });
});

test("a trigger that swallows what a deletion cascades to does not stop the cleanup", async () => {
  // PostgreSQL leaves a reference to nothing then: it is the other program that breaks its own key.
  const database = await createDatabase();
  await addExpired(database, 20);
  await run(
    "CREATE TABLE calls (session_id text REFERENCES mcp_sessions ON DELETE CASCADE)",
    "INSERT INTO calls SELECT session_id FROM mcp_sessions",
    "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
    "CREATE TRIGGER swallow BEFORE DELETE ON calls FOR EACH ROW EXECUTE FUNCTION swallow()",
  )(database);
  expect(await clean(database)).toMatchObject({ outcome: "completed", deleted: 20, blocked: 0 });
});

describe("sessions that refer to sessions", () => {
  const chain = async (deferrable = "") => {
    const database = await createDatabase();
    await addExpired(database, 300);
    await run(
      `ALTER TABLE mcp_sessions ADD COLUMN parent text REFERENCES mcp_sessions ${deferrable}`,
      // Each was opened by the one before, which expires first.
      `UPDATE mcp_sessions SET parent = 'expired-' || (substr(session_id, 9)::int - 1) WHERE session_id <> 'expired-1'`,
    )(database);
    return database;
  };

  test.each(["", "DEFERRABLE INITIALLY DEFERRED"])(
    "go in a few runs when all have expired %s",
    async (deferrable) => {
      const database = await chain(deferrable);
      let deleted = 0;
      for (let runs = 0; runs < 10 && deleted < 300; runs += 1) {
        deleted += (await clean(database, { batchSize: 100 })).deleted;
      }
      expect(deleted).toBe(300);
      expect(await database.query("SELECT 1 FROM mcp_cleanup_blocked")).toEqual([]);
    },
  );

  test("stay when the one that refers to them is live", async () => {
    const database = await chain();
    await database.query(
      "UPDATE mcp_sessions SET expires_at = now() + interval '1 hour', parent = 'expired-150' WHERE session_id = 'expired-300'",
    );
    // Those before the 150th hold one another, and the live one holds the 150th.
    const count = async () => (await database.query("SELECT count(*)::int FROM mcp_sessions"))[0]?.["count"];
    for (let runs = 0; runs < 30 && (await count()) !== 151; runs += 1) await clean(database);
    expect(await count()).toBe(151);
    expect(await clean(database)).toMatchObject({ outcome: "completed", deleted: 0, blocked: 150 });
  });
});
