// What db:migrate does with an empty database, an adopted one and one that it refuses; and what the command prints.
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { PgDialect } from "drizzle-orm/pg-core";
import { expect, test } from "vitest";
import { directHost, reasonOf } from "../../drizzle/connection.ts";
import { sessionHandle } from "../../src/session/conditions.ts";
import { readSqlFiles } from "../../drizzle/files.ts";
import { migrate } from "../../drizzle/migrate.ts";
import {
  adminOf,
  cleanUp,
  counted,
  createDatabase,
  pythonTable,
  query,
  schemaOf,
  valueOf,
  withCopy,
} from "./databases.ts";
import { connected } from "../support/postgres.ts";

const HANDLE = new PgDialect().sqlToQuery(sessionHandle).sql;

// As the Python server sees it: what the migrations add is taken away again.
const added = [
  "principal",
  "protocol_version",
  "log_level",
  "state",
  "state_version",
  "state_versions",
  "state_writes",
  "end_reason",
  "ended_at",
];
const allSessions = `SELECT to_jsonb(s) - '{${added.join(",")}}'::text[] AS session FROM mcp_sessions s ORDER BY session_id`;
const indexes = "SELECT indexname FROM pg_indexes WHERE tablename = 'mcp_sessions' ORDER BY 1";

test("an empty database gets the tables, the indexes and the procedure", async () => {
  const config = await createDatabase();
  await migrate(config);
  expect(await query(config, indexes)).toEqual([
    { indexname: "idx_mcp_sessions_by_handle" },
    { indexname: "idx_mcp_sessions_by_owner" },
    { indexname: "idx_mcp_sessions_expires" },
    { indexname: "mcp_sessions_pkey" },
  ]);
  expect(await query(config, cleanUp)).toMatchObject([{ outcome: "completed", deleted: "0" }]);
});

test("run again, also by two at once, it changes nothing", async () => {
  const config = await createDatabase();
  await Promise.all([migrate(config), migrate(config)]);
  await query(config, "INSERT INTO mcp_sessions (session_id) VALUES ('kept')");
  await migrate(config);
  expect(await query(config, "SELECT session_id FROM mcp_sessions")).toEqual([{ session_id: "kept" }]);
});

test("every migration can be applied twice, and again after all others", async () => {
  const config = await createDatabase();
  await migrate(config);
  const schema = await schemaOf(config);
  await query(config, "INSERT INTO mcp_sessions (session_id) VALUES ('kept')");
  const { migrations } = readSqlFiles("drizzle");
  expect(migrations.length).toBeGreaterThan(0);
  for (const { text } of [...migrations, ...migrations]) await query(config, text);
  for (const { text } of migrations) await query(config, text, text);
  expect(await schemaOf(config)).toEqual(schema);
  expect(await query(config, counted)).toEqual([{ total: 1, is_right: true }]);
});

test("totals begin with the records of runs, and for the role that writes those", async () => {
  const config = await createDatabase();
  await migrate(config);
  const role = `"Worker ${String(config.database)}"`;
  await query(
    config,
    `CREATE ROLE ${role}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON mcp_sessions, mcp_cleanup_runs TO ${role}`,
    `INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('old', now() - interval '1 day')`,
    cleanUp,
    // As it was before there were totals.
    "DROP TABLE mcp_session_totals, mcp_session_changes, mcp_schema_journal",
  );
  await migrate(config);
  expect(
    await query(
      config,
      "SELECT name, value::int FROM mcp_session_totals WHERE name NOT LIKE '%duration%' ORDER BY 1",
    ),
  ).toEqual([
    { name: "cleanup_runs/regular/completed", value: 1 },
    { name: "sessions_deleted/regular", value: 1 },
  ]);
  const [opened] = await query(
    config,
    `SET ROLE ${role}`,
    "SELECT mcp_open_session('new', 'alice', '2025-11-25', '{}', '{}', 60, NULL, 5) AS evicted",
  );
  expect(opened).toEqual({ evicted: 0 });
  expect(await query(config, `SET ROLE ${role}`, counted)).toEqual([{ total: 1, is_right: true }]);
  await query(config, `DROP OWNED BY ${role}`, `DROP ROLE ${role}`);
});

test("a Python server's table keeps every row, column and index, and both programs go on working", async () => {
  const config = await createDatabase(...pythonTable);
  const before = await query(config, allSessions);
  expect(before).toHaveLength(1000);
  const indexesBefore = await query(config, indexes);
  await migrate(config);
  await migrate(config);
  expect(await query(config, allSessions)).toEqual(before);
  expect(await query(config, counted)).toEqual([{ total: 1000, is_right: true }]);
  expect(await query(config, indexes)).toEqual(expect.arrayContaining(indexesBefore));

  // The cleanup deletes what has expired and nothing else; NULL never expires.
  const survivors = await query(
    config,
    allSessions.replace("ORDER", "WHERE expires_at IS NULL OR expires_at >= now() ORDER"),
  );
  const [run] = await query(config, cleanUp);
  expect(run).toMatchObject({ outcome: "completed", deleted: String(1000 - survivors.length) });
  expect(await query(config, allSessions)).toEqual(survivors);

  // What the Python server does: open, touch, name the project, summarise, delete, clean up.
  await query(
    config,
    `INSERT INTO mcp_sessions (session_id, created_at, last_active, expires_at, capabilities, client_info, project_name)
     VALUES ('opened-later', now(), now(), now() + interval '24 hours', '{}', '{"name":"x"}', '__PENDING__')`,
    "UPDATE mcp_sessions SET last_active = now(), expires_at = now() + interval '24 hours' WHERE session_id = 'opened-later'",
    "UPDATE mcp_sessions SET project_name = 'p', session_summary = '{\"tools\":[]}' WHERE session_id = 'opened-later'",
    "DELETE FROM mcp_sessions WHERE session_id = 'opened-later'",
    "DELETE FROM mcp_sessions WHERE expires_at < now()",
  );
  expect(await query(config, counted)).toMatchObject([{ is_right: true }]);
});

test("a program that may write sessions, and nothing else of ours, is counted", async () => {
  const config = await createDatabase();
  await migrate(config);
  const role = `guest_${String(config.database)}`;
  await query(
    config,
    `CREATE ROLE ${role}`,
    `GRANT SELECT, INSERT, DELETE ON mcp_sessions TO ${role}`,
    `SET ROLE ${role}`,
    "SET search_path = pg_catalog",
    "INSERT INTO public.mcp_sessions (session_id) SELECT i::text FROM generate_series(1, 9) i",
    "DELETE FROM public.mcp_sessions WHERE session_id < '3'",
  );
  expect(await query(config, counted)).toEqual([{ total: 7, is_right: true }]);
  await query(config, `DROP OWNED BY ${role}`, `DROP ROLE ${role}`);
});

test("rows that came past the triggers are found by a recount, which says how many", async () => {
  const config = await createDatabase();
  await migrate(config);
  await query(
    config,
    "INSERT INTO mcp_sessions (session_id) VALUES ('a'), ('b')",
    "SET session_replication_role = replica",
    "INSERT INTO mcp_sessions (session_id) VALUES ('c'), ('d'), ('e')",
  );
  expect(await query(config, counted)).toEqual([{ total: 2, is_right: false }]);
  expect(await query(config, "SELECT mcp_recount_sessions() AS wrong_by")).toEqual([{ wrong_by: "3" }]);
  expect(await query(config, counted)).toEqual([{ total: 5, is_right: true }]);
});

const columns =
  "created_at TIMESTAMPTZ DEFAULT now(), last_active TIMESTAMPTZ DEFAULT now(), expires_at TIMESTAMPTZ, capabilities JSONB, client_info JSONB";

test("a table whose session_id is unique but not the primary key is adopted", async () => {
  const config = await createDatabase(
    `CREATE TABLE mcp_sessions (id serial PRIMARY KEY, session_id TEXT NOT NULL UNIQUE, ${columns}, tenant TEXT NOT NULL DEFAULT 't')`,
  );
  await migrate(config);
  expect(
    await valueOf(config, "SELECT mcp_open_session('a', 'alice', '2025-11-25', '{}', '{}', 60, NULL, 5)"),
  ).toBe(0);
});

async function runCommand(database: string, ...args: string[]) {
  const { host, port, user, password } = adminOf(database);
  const url = `postgresql://${user}:${String(password)}@${host}:${port}/${database}`;
  const run = promisify(execFile)(process.execPath, ["drizzle/migrate.ts", ...args], {
    env: { ...process.env, DATABASE_URL: url },
  });
  return run.then(
    ({ stdout }) => ({ code: 0, stdout, stderr: "" }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
      code,
      stdout,
      stderr,
    }),
  );
}

test("npm run db:migrate prints a line for each thing it did, and that the database is up to date", async () => {
  const database = String((await createDatabase()).database);
  const { stdout } = await runCommand(database);
  expect(stdout.split("\n")).toEqual(
    expect.arrayContaining([
      "Applied 0000_baseline: not applied yet",
      "Applied mcp_open_session: not applied yet",
      "Applied mcp_count_inserted: not applied yet",
      "Recounted the sessions",
    ]),
  );
  expect(await runCommand(database)).toEqual({
    code: 0,
    stdout: "The database is up to date.\n",
    stderr: "",
  });
});

test("npm run db:migrate -- --plan prints what would be done, and does nothing", async () => {
  const config = await createDatabase(...pythonTable);
  const before = await schemaOf(config);
  const { stdout } = await runCommand(String(config.database), "--plan");
  expect(stdout.split("\n")).toEqual(
    expect.arrayContaining([
      "Would apply 0000_baseline: not applied yet",
      "Would apply mcp_open_session: not applied yet",
      "Would recount the sessions",
    ]),
  );
  expect(await schemaOf(config)).toEqual(before);
  await migrate(config);
  expect((await runCommand(String(config.database), "--plan")).stdout).toBe("The database is up to date.\n");
});

test("an argument that it does not know is refused, and nothing is done", async () => {
  const config = await createDatabase();
  for (const argument of ["--pan", "--plan=no", "postgresql://role:secret@host/db"]) {
    const { code, stderr } = await runCommand(String(config.database), argument);
    expect(code).toBe(2);
    expect(stderr).not.toContain("secret");
    expect(stderr).toContain("Usage: npm run db:migrate [-- [--plan] [--convert] [--wait SECONDS]]");
  }
  expect(await schemaOf(config)).toEqual([]);
});

test("a failure is PostgreSQL's reason, without the connection string and the values of rows", async () => {
  expect(await runCommand("nowhere")).toEqual({
    code: 1,
    stdout: "",
    stderr: 'Migration failed, nothing was applied: database "nowhere" does not exist (3D000)\n',
  });
  const config = await createDatabase();
  await migrate(config);
  await query(
    config,
    "ALTER TABLE mcp_cleanup_runs DROP CONSTRAINT mcp_cleanup_runs_tier",
    `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, outcome)
     VALUES ('a secret', 'cron', now(), now(), now(), 'running')`,
  );
  const { stderr } = await runCommand(String(config.database));
  expect(stderr).toContain('"mcp_cleanup_runs_tier" of relation "mcp_cleanup_runs" is violated');
  expect(stderr).not.toContain("secret");
  expect(stderr).not.toContain(String(config.password));
});

test("of migrations that fail half-way nothing stays", async () => {
  const config = await createDatabase();
  await withCopy("drizzle", async (folder) => {
    writeFileSync(join(folder, "9999_broken.sql"), "CREATE TABLE half_way (); SELECT 1 / 0;");
    await expect(migrate(config, folder)).rejects.toThrow("division by zero");
  });
  expect(await schemaOf(config)).toEqual([]);
  await migrate(config);
});

test("the values of a row are in no reason", async () => {
  const config = await createDatabase();
  await withCopy("drizzle", async (folder) => {
    writeFileSync(
      join(folder, "0001_twice.sql"),
      "INSERT INTO mcp_sessions (session_id) VALUES ('a secret'), ('a secret');",
    );
    const reason = reasonOf(await migrate(config, folder).catch((error: unknown) => error));
    expect(reason).toContain("duplicate key value violates unique constraint");
    expect(reason).not.toContain("secret");
  });
});

test("a trigger that a migration takes away is made again", async () => {
  const config = await createDatabase();
  await migrate(config);
  await withCopy("drizzle", async (folder) => {
    writeFileSync(
      join(folder, "9990_drop.sql"),
      "DROP TRIGGER IF EXISTS mcp_count_inserted ON mcp_sessions; INSERT INTO mcp_sessions (session_id) VALUES ('a');",
    );
    expect(await migrate(config, folder)).toEqual([
      "Applied 9990_drop: not applied yet",
      "Applied mcp_count_inserted: missing in the database",
      "Recounted the sessions",
    ]);
    expect(await query(config, counted)).toEqual([{ total: 1, is_right: true }]);
  });
});

test("a new migration alone is applied, and a changed one with all that follow it", async () => {
  const config = await createDatabase();
  await migrate(config);
  await withCopy("drizzle", async (folder) => {
    const write = (name: string, text: string) => writeFileSync(join(folder, `${name}.sql`), text);
    write("9990_more", "CREATE TABLE IF NOT EXISTS more ();");
    write("9991_most", "CREATE TABLE IF NOT EXISTS most ();");
    expect(await migrate(config, folder)).toEqual([
      "Applied 9990_more: not applied yet",
      "Applied 9991_most: not applied yet",
    ]);
    write("9990_more", "CREATE TABLE IF NOT EXISTS more (); -- changed");
    expect(await migrate(config, folder)).toEqual([
      "Applied 9990_more: its file has changed",
      "Applied 9991_most: an earlier one is applied again",
    ]);
    expect(await migrate(config, folder)).toEqual([]);
  });
  // An older checkout must not take back what a later one has made.
  const before = await schemaOf(config);
  await expect(migrate(config)).rejects.toThrow(
    "a later version has migrated this database (9990_more, 9991_most); migrate it with that one",
  );
  expect(await schemaOf(config)).toEqual(before);
});

test("a file in routines/ that does not create what its name says is refused", async () => {
  await withCopy("drizzle", async (folder) => {
    mkdirSync(join(folder, "routines"), { recursive: true });
    cpSync(join(folder, "routines/mcp_open_session.sql"), join(folder, "routines/mcp_close_session.sql"));
    expect(() => readSqlFiles(folder)).toThrow(
      "drizzle/routines/mcp_close_session.sql must hold CREATE OR REPLACE FUNCTION, PROCEDURE or TRIGGER mcp_close_session",
    );
    rmSync(join(folder, "routines/mcp_close_session.sql"));
    expect(readSqlFiles(folder).routines.length).toBeGreaterThan(0);
  });
});

test("a session's handle is the former one, whatever its id is made of", async () => {
  const config = await createDatabase();
  await migrate(config);
  const ids = [
    "",
    "a",
    "\\",
    "\\\\x41",
    "\\x41",
    "a\\001b",
    "ünï 😀",
    "'\"$$",
    "\n\t\u0001",
    "x".repeat(5000),
  ];
  await connected(config, async (client) => {
    for (const id of ids) {
      const { rows } = await client.query(
        `SELECT ${HANDLE} AS handle,
                substr(encode(sha256(convert_to('handle:' || session_id, 'UTF8')), 'hex'), 1, 32)::uuid AS former
           FROM (SELECT $1::text AS session_id) AS s`,
        [id],
      );
      expect(rows[0].handle).toBe(rows[0].former);
    }
  });
  // And the index is used for it.
  const plan = await query(
    config,
    "SET enable_seqscan = off",
    `EXPLAIN SELECT FROM mcp_sessions WHERE ${HANDLE} = '00000000-0000-0000-0000-000000000000'`,
  );
  expect(JSON.stringify(plan)).toContain("idx_mcp_sessions_by_handle");
});

test.each([
  ["ep-a-1-pooler.eu-central-1.aws.neon.tech", "ep-a-1.eu-central-1.aws.neon.tech"],
  ["ep-a-1.eu-pooler.aws.neon.tech", "ep-a-1.eu-pooler.aws.neon.tech"],
])("%s is migrated without the pooler", (host, direct) => {
  expect(directHost(host)).toBe(direct);
});
