// Rows that come and go in ways of their own: children of children, partitions, publications of a part, loads without triggers,
// TRUNCATE. No row of another table is deleted, and the counts are never negative and become true again.
import type { ClientConfig } from "pg";
import { describe, expect, test } from "vitest";
import { migrate } from "../../drizzle/migrate.ts";
import { cleanUp, counted, createDatabase, query, valueOf } from "./databases.ts";
import { cleanUpAll, liveAndEnd, otherProgram } from "./life.ts";

const table = `CREATE TABLE mcp_sessions (
  session_id TEXT PRIMARY KEY, created_at TIMESTAMPTZ DEFAULT now(), last_active TIMESTAMPTZ DEFAULT now(),
  expires_at TIMESTAMPTZ, capabilities JSONB DEFAULT '{}', client_info JSONB DEFAULT '{}')`;

async function adopted(...statements: string[]): Promise<ClientConfig> {
  const config = await createDatabase(table, ...statements);
  await migrate(config);
  return config;
}

const rows = (name: string, expiry: string, count = 1000) =>
  `INSERT INTO ${name} (session_id, expires_at) SELECT '${name}' || i, ${expiry} FROM generate_series(1, ${count}) i`;
const OLD = "now() - interval '2 hours'";
const LIVE = "now() + interval '2 days'";

describe("inheritance: the table loses its own expired rows only, with", () => {
  test.each<[string, string[], string]>([
    [
      "children of its children",
      ["CREATE TABLE child () INHERITS (mcp_sessions)", "CREATE TABLE grandchild () INHERITS (child)"],
      "grandchild",
    ],
    [
      "a child of two parents",
      ["CREATE TABLE other (note text)", "CREATE TABLE child () INHERITS (mcp_sessions, other)"],
      "child",
    ],
    [
      "a child that has the same ids",
      ["CREATE TABLE child (PRIMARY KEY (session_id)) INHERITS (mcp_sessions)"],
      "child",
    ],
    [
      "a child whose trigger refuses deletions",
      [
        "CREATE TABLE child () INHERITS (mcp_sessions)",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
        "CREATE TRIGGER refuse BEFORE DELETE ON child FOR EACH ROW EXECUTE FUNCTION refuse()",
      ],
      "child",
    ],
  ])("%s", async (_name, statements, child) => {
    const config = await adopted(...statements);
    await query(
      config,
      rows("mcp_sessions", OLD),
      rows(child, LIVE),
      `INSERT INTO ${child} (session_id, expires_at) SELECT 'mcp_sessions' || i, ${OLD} FROM generate_series(1, 500) i`,
    );
    expect(await query(config, cleanUp)).toMatchObject([
      { outcome: "completed", deleted: "1000", blocked: "0" },
    ]);
    expect(await valueOf(config, `SELECT count(*)::int FROM ${child}`)).toBe(1500);
    await liveAndEnd(config);
    expect(await valueOf(config, `SELECT count(*)::int FROM ${child}`)).toBe(1500);
  });

  test("a parent: what is deleted is a row of mcp_sessions itself", async () => {
    const config = await adopted();
    await query(
      config,
      "CREATE TABLE things (session_id text NOT NULL, expires_at timestamptz)",
      "ALTER TABLE mcp_sessions INHERIT things",
      "INSERT INTO things SELECT 'thing' || i, now() - interval '1 day' FROM generate_series(1, 50) i",
      rows("mcp_sessions", OLD),
    );
    expect(await query(config, cleanUp)).toMatchObject([{ outcome: "completed", deleted: "1000" }]);
    expect(await valueOf(config, "SELECT count(*)::int FROM ONLY things")).toBe(50);
  });
});

describe("publications stop no cleanup", () => {
  test.each([
    ["of inserts alone", "CREATE PUBLICATION p FOR TABLE mcp_sessions WITH (publish = 'insert')"],
    [
      "of some columns, the key among them",
      "CREATE PUBLICATION p FOR TABLE mcp_sessions (session_id, expires_at)",
    ],
    ["of some rows, by the key", "CREATE PUBLICATION p FOR TABLE mcp_sessions WHERE (session_id <> 'x')"],
    [
      "of all tables, with whole rows as identity",
      "ALTER TABLE mcp_sessions REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR ALL TABLES",
    ],
  ])("%s", async (_name, publication) => {
    const config = await adopted();
    await query(config, rows("mcp_sessions", OLD), publication);
    expect(await query(config, cleanUp)).toMatchObject([{ outcome: "completed", deleted: "1000" }]);
    await liveAndEnd(config);
    await cleanUpAll(config);
  });

  test("but one of some rows by another column does, with its record, and lists none", async () => {
    const config = await adopted();
    await query(
      config,
      rows("mcp_sessions", OLD),
      "CREATE PUBLICATION p FOR TABLE mcp_sessions WHERE (expires_at > '2020-01-01')",
    );
    expect(await query(config, cleanUp)).toMatchObject([
      { outcome: "failed", error_code: "42P10", deleted: "0", blocked: "0" },
    ]);
    await query(config, "DROP PUBLICATION p");
    expect(await query(config, cleanUp)).toMatchObject([{ outcome: "completed", deleted: "1000" }]);
  });
});

describe("the number of sessions", () => {
  const load = "COPY mcp_sessions (session_id) FROM PROGRAM 'printf \"a\\nb\\nc\\n\"'";
  const isSane = "SELECT total >= 0 AND expired >= 0 AND total >= expired FROM mcp_count_sessions(0)";

  test.each<[string, string[]]>([
    ["TRUNCATE", ["TRUNCATE mcp_sessions"]],
    [
      "TRUNCATE, and rows afterwards",
      ["BEGIN", "TRUNCATE mcp_sessions", rows("mcp_sessions", LIVE, 9), "COMMIT"],
    ],
    ["a TRUNCATE that was rolled back", ["BEGIN", "TRUNCATE mcp_sessions", "ROLLBACK"]],
    ["a TRUNCATE of a table that it refers to", ["TRUNCATE users CASCADE"]],
    ["COPY", [load]],
    [
      "COPY in a subtransaction that was rolled back",
      ["BEGIN", "SAVEPOINT a", load, "ROLLBACK TO a", "COMMIT"],
    ],
    [
      "MERGE",
      ["MERGE INTO mcp_sessions USING (SELECT 's1' AS id) x ON session_id = id WHEN MATCHED THEN DELETE"],
    ],
    [
      "a cursor that deletes where it stands",
      [
        "BEGIN",
        "DECLARE c CURSOR FOR SELECT * FROM mcp_sessions FOR UPDATE",
        "FETCH c",
        "DELETE FROM mcp_sessions WHERE CURRENT OF c",
        "COMMIT",
      ],
    ],
  ])("is right at once after %s", async (_name, statements) => {
    const config = await adopted(
      "CREATE TABLE users (name text PRIMARY KEY)",
      "ALTER TABLE mcp_sessions ADD COLUMN of_user text REFERENCES users",
    );
    await query(config, "INSERT INTO mcp_sessions (session_id) SELECT 's' || i FROM generate_series(1, 5) i");
    await query(config, ...statements);
    expect(await query(config, counted)).toMatchObject([{ is_right: true }]);
  });

  test.each<[string, string[]]>([
    [
      "COPY as a replica does",
      ["SET session_replication_role = replica", load, "DELETE FROM mcp_sessions WHERE session_id LIKE 's%'"],
    ],
    [
      "a load with triggers off, as pg_restore does",
      ["ALTER TABLE mcp_sessions DISABLE TRIGGER ALL", load, "ALTER TABLE mcp_sessions ENABLE TRIGGER ALL"],
    ],
    [
      "deletions with triggers off",
      [
        "ALTER TABLE mcp_sessions DISABLE TRIGGER USER",
        "DELETE FROM mcp_sessions",
        "ALTER TABLE mcp_sessions ENABLE TRIGGER USER",
      ],
    ],
    ["a TRUNCATE as a replica does", ["SET session_replication_role = replica", "TRUNCATE mcp_sessions"]],
    ["changes of our own table by its owner", ["UPDATE mcp_session_changes SET change = -1000"]],
    [
      "a table of changes that was emptied",
      ["TRUNCATE mcp_session_changes", "DELETE FROM mcp_sessions WHERE session_id = 's1'"],
    ],
  ])("is never negative, and right after the next run, after %s", async (_name, statements) => {
    const config = await adopted();
    await query(config, "INSERT INTO mcp_sessions (session_id) SELECT 's' || i FROM generate_series(1, 5) i");
    await query(config, ...statements);
    expect(await valueOf(config, isSane)).toBe(true);
    expect(await query(config, cleanUp)).toMatchObject([{ outcome: "completed" }]);
    expect(await query(config, counted)).toMatchObject([{ is_right: true }]);
  });

  test("is right when triggers that were disabled stay so, after each run", async () => {
    const config = await adopted();
    await query(
      config,
      "ALTER TABLE mcp_sessions DISABLE TRIGGER USER",
      rows("mcp_sessions", OLD),
      rows("mcp_sessions_live", LIVE).replace("INTO mcp_sessions_live", "INTO mcp_sessions"),
    );
    for (const deleted of ["1000", "0"]) {
      expect(await query(config, cleanUp)).toMatchObject([{ outcome: "completed", deleted }]);
      expect(await valueOf(config, isSane)).toBe(true);
    }
    expect(await query(config, counted)).toEqual([{ total: 1000, is_right: true }]);
  });
});

describe("statements of another program go on as before, and so does the cleanup, when", () => {
  test.each<[string, string[], string]>([
    [
      "nobody may use our tables",
      [
        "REVOKE ALL ON mcp_session_changes, mcp_session_totals, mcp_cleanup_runs, mcp_cleanup_blocked FROM PUBLIC",
      ],
      "completed",
    ],
    [
      "nobody may use sequences",
      ["REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, postgres"],
      "completed",
    ],
    [
      "nobody may execute routines",
      ["REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA public FROM PUBLIC"],
      "completed",
    ],
    ["nobody may make anything in the schema", ["REVOKE CREATE ON SCHEMA public FROM PUBLIC"], "completed"],
    [
      "functions to come are nobody's",
      ["ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"],
      "completed",
    ],
  ])("%s", async (_name, statements, outcome) => {
    const config = await adopted();
    const program = await otherProgram(config);
    await query(config, ...statements);
    await query(
      program,
      rows("mcp_sessions", OLD),
      "UPDATE mcp_sessions SET last_active = now() WHERE session_id = 'mcp_sessions1'",
      "DELETE FROM mcp_sessions WHERE session_id = 'mcp_sessions2'",
    );
    expect(await query(config, counted)).toEqual([{ total: 999, is_right: true }]);
    expect(await query(config, cleanUp)).toMatchObject([{ outcome, deleted: "999" }]);
    await liveAndEnd(config);
  });
});
