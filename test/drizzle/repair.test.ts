// What the journal says is compared with what is there: whatever was lost or changed by hand is made again.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { driftOf, migrate } from "../../drizzle/migrate.ts";
import { connected } from "../support/postgres.ts";
import { counted, createDatabase, query, schemaOf, untilWaiting, valueOf, withCopy } from "./databases.ts";
import { liveAndEnd } from "./life.ts";
import { createMigrated, expectFinished } from "./migrated.ts";

const rows = [
  "INSERT INTO mcp_sessions (session_id, principal, state) SELECT i::text, 'alice', '{\"n\": 1}' FROM generate_series(1, 10) i",
  `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, deleted)
   VALUES ('regular', 'cron', now(), now(), now(), now(), 'completed', 5)`,
];

/** A migrated database with 10 sessions and a cleanup run. */
const createUsed = (...statements: string[]) => createMigrated(...rows, ...statements);

// A session that is written while something is missing.
const insertion = "INSERT INTO mcp_sessions (session_id) VALUES ('meanwhile')";

test.each([
  ["the journal", ["DROP TABLE mcp_schema_journal", insertion], "0000_baseline: not applied yet"],
  ["the table of changes", ["DROP TABLE mcp_session_changes"], "0000_baseline: missing: mcp_session_changes"],
  ["the totals", ["DROP TABLE mcp_session_totals"], "0000_baseline: missing: mcp_session_totals"],
  // The sessions with a principal are ours all the same.
  [
    "the list of the blocked",
    ["DROP TABLE mcp_cleanup_blocked"],
    "0000_baseline: missing: mcp_cleanup_blocked",
  ],
  [
    "a column",
    ["ALTER TABLE mcp_sessions DROP state_versions", insertion],
    "0000_baseline: missing: mcp_sessions.state_versions",
  ],
  [
    "a column with an index",
    ["ALTER TABLE mcp_sessions DROP principal"],
    "0000_baseline: missing: mcp_sessions.principal",
  ],
  [
    "a column with constraints",
    ["ALTER TABLE mcp_cleanup_runs DROP batches"],
    "0000_baseline: missing: mcp_cleanup_runs.batches, mcp_cleanup_runs.mcp_cleanup_runs_counts",
  ],
  [
    "a constraint",
    ["ALTER TABLE mcp_cleanup_runs DROP CONSTRAINT mcp_cleanup_runs_tier"],
    "0000_baseline: missing: mcp_cleanup_runs.mcp_cleanup_runs_tier",
  ],
  [
    "a trigger",
    ["DROP TRIGGER mcp_count_inserted ON mcp_sessions", insertion],
    "mcp_count_inserted: missing in the database",
  ],
  [
    "a trigger of the runs",
    ["DROP TRIGGER mcp_count_run_written ON mcp_cleanup_runs"],
    "mcp_count_run_written: missing in the database",
  ],
  ["a function", ["DROP FUNCTION mcp_count_sessions"], "mcp_count_sessions: missing in the database"],
  ["a procedure", ["DROP PROCEDURE mcp_cleanup_sessions"], "mcp_cleanup_sessions: missing in the database"],
])("%s that was dropped is made again, and the number of sessions is right", async (_, statements, line) => {
  const config = await createUsed(...statements);
  expect(await driftOf(config)).toContain(`Would apply ${line}`);
  expect(await migrate(config)).toContain(`Applied ${line}`);
  await expectFinished(config, statements.includes(insertion) ? 11 : 10);
  expect(await valueOf(config, "SELECT count(*)::int FROM mcp_sessions WHERE state = '{\"n\": 1}'")).toBe(10);
  expect(
    await valueOf(
      config,
      "SELECT value::int FROM mcp_session_totals WHERE name = 'sessions_deleted/regular'",
    ),
  ).toBe(5);
});

test("a copy without rows, as a schema-only branch of Neon is, becomes a database that works", async () => {
  const config = await createUsed(
    "SET session_replication_role = replica",
    `DO $$ DECLARE name text; BEGIN
       FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
         EXECUTE format('TRUNCATE %I CASCADE', name);
       END LOOP;
     END $$`,
  );
  expect(await driftOf(config)).toContain("Would apply 0000_baseline: not applied yet");
  await migrate(config);
  await expectFinished(config, 0);
  await liveAndEnd(config);
  await expectFinished(config);
});

const python = `CREATE TABLE mcp_sessions (
  session_id TEXT PRIMARY KEY, created_at TIMESTAMPTZ DEFAULT now(), last_active TIMESTAMPTZ DEFAULT now(),
  expires_at TIMESTAMPTZ, capabilities JSONB DEFAULT '{}', client_info JSONB DEFAULT '{}')`;

test("a table that its other owner dropped and made again is repaired", async () => {
  const config = await createDatabase(python);
  await migrate(config);
  await query(
    config,
    "INSERT INTO mcp_sessions (session_id) VALUES ('a'), ('b'), ('c')",
    "DROP TABLE mcp_sessions",
    python,
    insertion,
  );
  expect((await migrate(config)).join("\n")).toContain(
    "Applied 0000_baseline: missing: mcp_sessions.principal",
  );
  await expectFinished(config, 1);
  const opened = "SELECT mcp_open_session('new', 'alice', '2025-11-25', '{}', '{}', 60, NULL, 5)";
  expect(await valueOf(config, opened)).toBe(0);
  expect(await query(config, counted)).toEqual([{ total: 2, is_right: true }]);
});

test("records of runs that were dropped are no reason to take our sessions for another program's", async () => {
  const config = await createUsed("DROP TABLE mcp_cleanup_runs");
  const lines = await migrate(config);
  expect(lines.join("\n")).toContain("Applied 0000_baseline: missing: mcp_cleanup_runs");
  expect(lines.join("\n")).not.toContain("Note:");
  await expectFinished(config, 10);
});

test("an ORM that has dropped all tables that it does not know has left our routines, which are replaced", async () => {
  const config = await createUsed(
    `DO $$ DECLARE name text; BEGIN
       FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'mcp_sessions' LOOP
         EXECUTE format('DROP TABLE %I', name);
       END LOOP;
     END $$`,
    insertion,
  );
  await migrate(config);
  await expectFinished(config, 11);
});

test("a routine of another program by the name of one that a new version brings stays, and is named", async () => {
  const theirs = "CREATE FUNCTION mcp_count_tasks(text) RETURNS text LANGUAGE sql AS $$ SELECT $1 $$";
  const config = await createUsed(
    "DELETE FROM mcp_schema_journal WHERE name = 'mcp_count_tasks'",
    "DROP FUNCTION mcp_count_tasks",
    theirs,
  );
  await expect(migrate(config)).rejects.toThrow(
    "ALTER ROUTINE mcp_count_tasks(text) RENAME TO other_mcp_count_tasks",
  );
  expect(await valueOf(config, "SELECT mcp_count_tasks('theirs')")).toBe("theirs");
  await query(config, "ALTER ROUTINE mcp_count_tasks(text) RENAME TO other_mcp_count_tasks");
  await migrate(config);
  expect(await valueOf(config, "SELECT other_mcp_count_tasks('theirs')")).toBe("theirs");
});

test.each(["mcp_count_tasks", "mcp_count_deleted"])(
  "what the journal has lost of ours is applied again: %s",
  async (name) => {
    const config = await createUsed(`DELETE FROM mcp_schema_journal WHERE name = '${name}'`);
    expect(await migrate(config)).toContain(`Applied ${name}: not in the journal`);
  },
);

test.each([
  ["put aside", ["ALTER TABLE mcp_sessions RENAME TO mcp_sessions_before", python]],
  [
    "copied and exchanged",
    [
      "CREATE TABLE copied (LIKE mcp_sessions INCLUDING ALL)",
      "ALTER TABLE mcp_sessions RENAME TO mcp_sessions_before",
      "ALTER TABLE copied RENAME TO mcp_sessions",
    ],
  ],
])(
  "a table that was %s has taken our indexes along, which db:migrate names with what helps",
  async (_, statements) => {
    const config = await createDatabase(python);
    await migrate(config);
    await query(config, ...statements, insertion);
    const failure = await migrate(config).then(String, String);
    expect(failure).toContain("an index of mcp_sessions_before has its name.");
    const renames = [...failure.matchAll(/ALTER INDEX \w+ RENAME TO \w+;/g)].map(([statement]) => statement);
    await query(config, ...renames);
    await migrate(config);
    expect(await driftOf(config)).toEqual(
      await driftOf(config).then((lines) => lines.filter((line) => line.startsWith("Note:"))),
    );
    await liveAndEnd(config);
  },
);

test("a database without any table of ours, but with the journal, gets them all", async () => {
  const config = await createUsed(
    "DROP TABLE mcp_sessions, mcp_cleanup_runs, mcp_session_totals, mcp_session_changes",
  );
  await migrate(config);
  await expectFinished(config, 0);
});

test("what cannot be made again is named, and nothing is changed", async () => {
  const config = await createUsed(
    "ALTER TABLE mcp_cleanup_runs DROP cutoff",
    "DROP FUNCTION mcp_open_session",
  );
  const before = await schemaOf(config);
  await expect(migrate(config)).rejects.toThrow(
    "this cannot be repaired:\n  Would apply 0000_baseline: missing: mcp_cleanup_runs.cutoff",
  );
  expect(await schemaOf(config)).toEqual(before);
});

test.each([
  [
    "mcp_merge_session_changes",
    "CREATE OR REPLACE FUNCTION mcp_merge_session_changes(p_limit bigint DEFAULT 100000) RETURNS void LANGUAGE sql AS 'SELECT'",
  ],
  ["mcp_merge_session_changes", "ALTER FUNCTION mcp_merge_session_changes SECURITY INVOKER"],
  ["mcp_merge_session_changes", "ALTER FUNCTION mcp_merge_session_changes RESET search_path"],
  [
    "mcp_merge_session_changes",
    "CREATE FUNCTION mcp_merge_session_changes() RETURNS void LANGUAGE sql AS 'SELECT'",
  ],
  ["mcp_count_sessions", "ALTER FUNCTION mcp_count_sessions SET work_mem = '1GB'"],
  ["mcp_count_deleted", "ALTER TABLE mcp_sessions DISABLE TRIGGER mcp_count_deleted"],
  [
    "mcp_count_inserted",
    `CREATE OR REPLACE TRIGGER mcp_count_inserted AFTER UPDATE ON mcp_sessions
       FOR EACH STATEMENT EXECUTE FUNCTION mcp_count_session_rows()`,
  ],
])("%s is replaced after it was changed in the database", async (name, statement) => {
  const config = await createUsed(statement);
  expect(await driftOf(config)).toContain(`Would apply ${name}: changed in the database`);
  expect(await migrate(config)).toContain(`Applied ${name}: changed in the database`);
  await expectFinished(config, 10);
});

test("a row that is being written uncounted is waited for, and counted", async () => {
  const config = await createUsed(
    `CREATE OR REPLACE FUNCTION mcp_count_session_rows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
     AS 'BEGIN RETURN NULL; END'`,
  );
  await connected(config, async (writer) => {
    await writer.query("BEGIN");
    await writer.query(insertion);
    const migrated = migrate(config);
    await untilWaiting(config, migrated, "mcp_sessions");
    await writer.query("COMMIT");
    await migrated;
  });
  await expectFinished(config, 11);
});

test("a request that reads the tables in another order than they are locked goes on, and so does the migration", async () => {
  const config = await createUsed("ALTER TABLE mcp_sessions DROP log_level");
  await connected(config, async (reader) => {
    await reader.query("BEGIN");
    await reader.query("SELECT FROM mcp_cleanup_runs");
    const migrated = migrate(config);
    await untilWaiting(config, migrated, "mcp_cleanup_runs");
    // The migration holds mcp_sessions now, and gives it back.
    await reader.query("SELECT FROM mcp_sessions");
    await reader.query("COMMIT");
    await migrated;
  });
  await expectFinished(config, 10);
});

test("a routine whose file has changed is applied, and nothing else", async () => {
  const config = await createUsed();
  await withCopy("drizzle", async (folder) => {
    const file = join(folder, "routines/mcp_recount_sessions.sql");
    writeFileSync(
      file,
      "CREATE OR REPLACE FUNCTION mcp_recount_sessions() RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint';",
    );
    expect(await driftOf(config, folder)).toEqual(["Would apply mcp_recount_sessions: its file has changed"]);
    expect(await migrate(config, folder)).toEqual(["Applied mcp_recount_sessions: its file has changed"]);
    expect(await valueOf(config, "SELECT mcp_recount_sessions()::int")).toBe(7);
  });
  expect(await migrate(config)).toEqual(["Applied mcp_recount_sessions: its file has changed"]);
  await expectFinished(config, 10);
});

test("a routine that is gone from the folder is dropped; another program's stay", async () => {
  const config = await createUsed(
    "CREATE FUNCTION mcp_of_another() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
  );
  const before = await schemaOf(config);
  await withCopy("drizzle", async (folder) => {
    const fileOf = (name: string) => join(folder, `routines/${name}.sql`);
    writeFileSync(
      fileOf("mcp_z_function"),
      "CREATE OR REPLACE FUNCTION mcp_z_function()\nRETURNS trigger\nLANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';",
    );
    writeFileSync(
      fileOf("mcp_a_trigger"),
      "CREATE OR REPLACE TRIGGER mcp_a_trigger AFTER UPDATE ON mcp_sessions EXECUTE FUNCTION mcp_z_function();",
    );
    writeFileSync(
      fileOf("mcp_a_procedure"),
      "CREATE OR REPLACE PROCEDURE mcp_a_procedure() LANGUAGE sql AS 'SELECT';",
    );
    await migrate(config, folder);
    for (const name of ["mcp_z_function", "mcp_a_trigger", "mcp_a_procedure"]) rmSync(fileOf(name));
    expect((await migrate(config, folder)).toSorted()).toEqual([
      "Dropped mcp_a_procedure: its file is gone",
      "Dropped mcp_a_trigger: its file is gone",
      "Dropped mcp_z_function: its file is gone",
    ]);
    expect(await migrate(config, folder)).toEqual([]);
  });
  expect(await schemaOf(config)).toEqual(before);
});

test.each([
  ["more arguments", "FUNCTION", "(a integer, b integer DEFAULT 1) RETURNS integer", "mcp_changing(1)"],
  ["fewer arguments", "FUNCTION", "() RETURNS integer", "mcp_changing()"],
  ["another argument type", "FUNCTION", "(a bigint) RETURNS integer", "mcp_changing(1::bigint)"],
  ["another argument name", "FUNCTION", "(b integer) RETURNS integer", "mcp_changing(b => 1)"],
  ["another return type", "FUNCTION", "(a integer) RETURNS bigint", "mcp_changing(1)"],
  ["another kind", "PROCEDURE", "(a integer)", "2"],
])(
  "a routine with %s is replaced, without a second overload, and keeps grants and owner",
  async (_, kind, head, call) => {
    const config = await createUsed();
    const role = `granted_${String(config.database)}`;
    await withCopy("drizzle", async (folder) => {
      const write = (text: string) => writeFileSync(join(folder, "routines/mcp_changing.sql"), text);
      write("CREATE OR REPLACE FUNCTION mcp_changing(a integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';");
      await migrate(config, folder);
      await query(
        config,
        `CREATE ROLE ${role}`,
        `CREATE ROLE ${role}_owner`,
        "REVOKE ALL ON FUNCTION mcp_changing FROM PUBLIC",
        `ALTER FUNCTION mcp_changing OWNER TO ${role}_owner`,
        `GRANT EXECUTE ON FUNCTION mcp_changing TO ${role} WITH GRANT OPTION`,
      );
      const grants = `SELECT pg_get_userbyid(proowner) AS owner, (SELECT jsonb_agg(jsonb_build_array(a.grantee::regrole::text, a.is_grantable) ORDER BY 1)
                      FROM aclexplode(proacl) a WHERE a.grantee <> p.proowner) AS grants
                      FROM pg_proc p WHERE proname = 'mcp_changing'`;
      const before = await query(config, grants);
      expect(before).toEqual([{ owner: `${role}_owner`, grants: [[role, true]] }]);
      write(`CREATE OR REPLACE ${kind} mcp_changing${head} LANGUAGE sql AS 'SELECT 2';`);
      expect(await migrate(config, folder)).toEqual(["Applied mcp_changing: its file has changed"]);
      expect(await query(config, grants)).toEqual(before);
      expect(Number(await valueOf(config, `SELECT ${call}`))).toBe(2);
      expect(await migrate(config, folder)).toEqual([]);
    });
    await query(config, `DROP OWNED BY ${role}, ${role}_owner CASCADE`, `DROP ROLE ${role}, ${role}_owner`);
  },
);
