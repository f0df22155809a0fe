import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ClientConfig } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { directUrl } from "../../drizzle/connection.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { connected, startTestPostgres, type TestPostgres } from "../support/postgres.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.remove());

let databases = 0;
async function createDatabase(...statements: string[]): Promise<ClientConfig> {
  const { host, port, user, password } = postgres;
  const database = `db_${++databases}`;
  await connected({ host, port, user, password, database: "postgres" }, (client) =>
    client.query(`CREATE DATABASE ${database}`),
  );
  const config = { host, port, user, password, database };
  await query(config, ...statements);
  return config;
}

const query = (config: ClientConfig, ...statements: string[]) =>
  connected(config, async (client) => {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) ({ rows } = await client.query(statement));
    return rows;
  });

// As the Python server makes it, in its later versions.
const pythonTable = [
  `CREATE TABLE mcp_sessions (session_id TEXT PRIMARY KEY, created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
     last_active TIMESTAMP WITH TIME ZONE DEFAULT NOW(), capabilities JSONB DEFAULT '{}',
     expires_at TIMESTAMP WITH TIME ZONE, client_info JSONB DEFAULT '{}')`,
  "ALTER TABLE mcp_sessions ADD COLUMN project_name TEXT DEFAULT '__PENDING__'",
  "ALTER TABLE mcp_sessions ADD COLUMN session_summary JSONB",
  "CREATE INDEX idx_mcp_sessions_expires ON mcp_sessions (expires_at)",
  "CREATE INDEX idx_mcp_sessions_last_active ON mcp_sessions (last_active)",
  `INSERT INTO mcp_sessions (session_id, expires_at, client_info, project_name, session_summary)
   SELECT 'python-' || i, CASE WHEN i % 10 > 0 THEN now() + (i - 500) * interval '1 minute' END,
          jsonb_build_object('name', 'client ' || i), 'project ' || i % 7, jsonb_build_object('tools', i)
     FROM generate_series(1, 1000) i`,
];

const cleanUp = "CALL mcp_cleanup_sessions('regular', 'manual', now(), 0, 100, 10000, 30)";
// As the Python server sees it: what the migrations add is taken away again.
const added = [
  "principal",
  "protocol_version",
  "log_level",
  "state",
  "state_writes",
  "end_reason",
  "ended_at",
];
const allSessions = `SELECT to_jsonb(s) - '{${added.join(",")}}'::text[] AS session FROM mcp_sessions s ORDER BY session_id`;
const counted =
  "SELECT c.total::int, c.total = (SELECT count(*) FROM mcp_sessions) AS is_right FROM mcp_count_sessions(0) c";
const indexes = "SELECT indexname FROM pg_indexes WHERE tablename = 'mcp_sessions' ORDER BY 1";

test("an empty database gets the tables, the indexes and the procedure", async () => {
  const config = await createDatabase();
  await migrate(config);
  expect(await query(config, indexes)).toEqual([
    { indexname: "idx_mcp_sessions_expires" },
    { indexname: "idx_mcp_sessions_handle" },
    { indexname: "idx_mcp_sessions_principal" },
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

test("it runs on a database whose record of migrations is lost", async () => {
  const config = await createDatabase();
  await migrate(config);
  await query(config, "INSERT INTO mcp_sessions (session_id) VALUES ('kept')", "DROP SCHEMA drizzle CASCADE");
  await migrate(config);
  expect(await query(config, "SELECT session_id FROM mcp_sessions")).toEqual([{ session_id: "kept" }]);
});

test("totals begin with the records that there are, and for the role that writes those", async () => {
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
    "DROP TABLE mcp_session_totals",
    "DROP SCHEMA drizzle CASCADE",
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
  await query(config, `GRANT EXECUTE ON ALL ROUTINES IN SCHEMA public TO ${role}`);
  const [opened] = await query(
    config,
    `SET ROLE ${role}`,
    "SELECT mcp_open_session('new', 'alice', '2025-11-25', '{}', '{}', 60, NULL, 5) AS evicted",
  );
  expect(opened).toEqual({ evicted: 0 });
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

test("a table that cannot be adopted is refused with each column's reason, and nothing is applied", async () => {
  const config = await createDatabase(
    "CREATE TABLE mcp_sessions (session_id TEXT PRIMARY KEY, created_at TIMESTAMPTZ, last_active TIMESTAMPTZ, expires_at TIMESTAMP, client_info JSONB)",
  );
  await expect(migrate(config)).rejects.toMatchObject({
    cause: {
      message:
        "the existing table mcp_sessions cannot be adopted: expires_at must be timestamp with time zone, is timestamp without time zone; capabilities must be jsonb, is missing",
    },
  });
  const tables = "SELECT count(*)::int AS count FROM pg_tables WHERE schemaname = 'public'";
  expect(await query(config, tables)).toEqual([{ count: 1 }]);
});

test("npm run db:migrate applies it, and prints PostgreSQL's reason and no password when it cannot", async () => {
  const { database } = await createDatabase();
  const run = (url: string) =>
    promisify(execFile)(process.execPath, ["drizzle/migrate.ts"], {
      env: { ...process.env, DATABASE_URL: url },
    });
  const { host, port, user, password } = postgres;
  const url = (name: string) => `postgresql://${user}:${password}@${host}:${port}/${name}`;
  expect((await run(url(String(database)))).stdout).toBe("The database is up to date.\n");
  const failure = await run(url("nowhere")).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: 1,
    stderr: 'Migration failed, nothing was applied: database "nowhere" does not exist (3D000)\n',
  });
});

test("of a migration that fails half-way nothing stays, and the reason is PostgreSQL's", async () => {
  const config = await createDatabase();
  const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-migrations-"));
  try {
    cpSync("drizzle", folder, { recursive: true });
    const journal = JSON.parse(readFileSync(join(folder, "meta/_journal.json"), "utf8"));
    const last = journal.entries.at(-1);
    journal.entries.push({ ...last, idx: last.idx + 1, when: last.when + 1, tag: "9999_broken" });
    writeFileSync(join(folder, "meta/_journal.json"), JSON.stringify(journal));
    writeFileSync(
      join(folder, "9999_broken.sql"),
      "CREATE TABLE half_way ();\n--> statement-breakpoint\nSELECT 1 / 0;",
    );
    await expect(migrate(config, folder)).rejects.toMatchObject({ cause: { message: "division by zero" } });
    expect(await query(config, "SELECT * FROM pg_tables WHERE schemaname = 'public'")).toEqual([]);
    await migrate(config);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.each([
  [
    "postgresql://u:p@ep-a-1-pooler.eu-central-1.aws.neon.tech/db",
    "postgresql://u:p@ep-a-1.eu-central-1.aws.neon.tech/db",
  ],
  [
    "postgresql://u:p-pooler.@ep-a-1.aws.neon.tech/db-pooler.x",
    "postgresql://u:p-pooler.@ep-a-1.aws.neon.tech/db-pooler.x",
  ],
])("%s is migrated without the pooler", (url, direct) => {
  expect(directUrl(url)).toBe(direct);
});
