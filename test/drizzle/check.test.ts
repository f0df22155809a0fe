// npm run db:check: what it finds in a database, what it says of it, and with which code it exits.
import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ClientConfig } from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type LocalNeon, startLocalNeon } from "../../dev/neon/server.ts";
import { check } from "../../drizzle/check.ts";
import { versionFindings } from "../../drizzle/check/server.ts";
import type { Finding } from "../../drizzle/check/finding.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { startTestPostgres } from "../support/postgres.ts";
import { adminOf, createDatabase, createDatabaseFrom, query, valueOf } from "./databases.ts";

let migrated: string;
let neon: LocalNeon;
beforeAll(async () => {
  const config = await createDatabase(
    "CREATE ROLE mcp LOGIN PASSWORD 'secret/password'",
    "ALTER SCHEMA public OWNER TO mcp",
  );
  await migrate({ ...config, user: "mcp", password: "secret/password" });
  migrated = String(config.database);
  neon = await startLocalNeon({
    postgres: { host: String(config.host), port: Number(config.port) },
    // Without one that knows passwords it would keep no connection longer than a second.
    superuser: { user: String(config.user), password: String(config.password) },
  });
});
afterAll(() => neon.close());

const PASSWORD = "secret/password";

/** The connection string of a role. The host is one that the local Neon takes, and that leads to this machine. */
const urlOf = ({ port, database }: ClientConfig, role = "mcp") =>
  `postgresql://${role}:${encodeURIComponent(PASSWORD)}@ep-check.localhost:${port}/${database}`;

/** A migrated database of the role mcp, after these statements of a superuser. */
async function prepared(...statements: string[]): Promise<ClientConfig> {
  const config = await createDatabaseFrom(migrated);
  await query(
    config,
    `ALTER DATABASE ${config.database} OWNER TO mcp`,
    ...statements.map((text) => text.replaceAll("THIS", String(config.database))),
  );
  return config;
}
const checked = async (config: ClientConfig, role?: string) => check(urlOf(config, role), neon.endpoint);

test("it finds nothing in a database as db:migrate makes it, and changes nothing", async () => {
  const config = await prepared("INSERT INTO mcp_sessions (session_id) VALUES ('kept')");
  expect(await checked(config)).toEqual([]);
  expect(await valueOf(config, "SELECT count(*)::int FROM mcp_sessions")).toBe(1);
  expect(await valueOf(config, "SELECT count(*)::int FROM mcp_session_totals")).toBe(0);
});

test("an index of another program that does the same as ours is one", async () => {
  const config = await prepared(
    "DROP INDEX idx_mcp_sessions_expires",
    "CREATE INDEX theirs ON mcp_sessions (expires_at) WITH (fillfactor = 70)",
  );
  expect((await checked(config)).filter(({ about }) => about === "index")).toEqual([]);
});

const trigger = (events: string, body: string) => [
  `CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN ${body}; RETURN coalesce(NEW, OLD); END $t$`,
  `CREATE TRIGGER theirs BEFORE ${events} ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION theirs()`,
];

type Expected = Partial<Record<keyof Finding, unknown>>;
const asMatchers = (expected: Expected) =>
  Object.fromEntries(
    Object.entries(expected).map(([key, text]) => [
      key,
      text instanceof RegExp ? expect.stringMatching(text) : text,
    ]),
  );
const cases: [name: string, statements: string[], expected: Expected][] = [
  [
    "a column that must be given",
    ["ALTER TABLE mcp_sessions ADD tenant_id text NOT NULL"],
    {
      level: "error",
      about: "life",
      what: "No session can be opened: column tenant_id of mcp_sessions must be given, and the sessions of /mcp leave it out (23502).",
      means: "Every initialize is refused with 503.",
      todo: "Give it a default, or: ALTER TABLE mcp_sessions ALTER COLUMN tenant_id DROP NOT NULL;",
    },
  ],
  [
    "what stops the cleanup only",
    trigger("DELETE", "RETURN NULL"),
    { level: "error", about: "life", means: "Expired sessions stay in the table." },
  ],
  [
    "a table in another schema",
    ["CREATE SCHEMA app", "CREATE TABLE app.mcp_sessions (session_id text)"],
    {
      level: "warning",
      about: "another_table",
      what: /app\.mcp_sessions, a table/,
      todo: /search_path = app;/,
    },
  ],
  ...['"MCP_Sessions"', '"mcp-sessions"', "mcpsessions", '"McpSession"', '"mcp sessions"'].map(
    (name): (typeof cases)[number] => [
      `a table called ${name}`,
      [`CREATE TABLE ${name} (session_id text)`],
      {
        level: "warning",
        about: "another_table",
        what: `There is another table of this name: public.${name}, a table.`,
        todo: `If it is the one that is meant: ALTER TABLE public.${name} RENAME TO mcp_sessions; Then npm run db:migrate.`,
      },
    ],
  ),
  [
    "a table that differs in both",
    ["CREATE SCHEMA app", 'CREATE TABLE app."mcp-sessions" (session_id text)'],
    {
      level: "warning",
      about: "another_table",
      todo: 'If it is the one that is meant: ALTER TABLE app."mcp-sessions" RENAME TO mcp_sessions; ALTER ROLE … IN DATABASE … SET search_path = app; Then npm run db:migrate.',
    },
  ],
  [
    "a view by this name",
    ["CREATE SCHEMA app", "CREATE VIEW app.mcp_sessions AS SELECT 1"],
    { level: "warning", about: "another_table", what: /app\.mcp_sessions, a view/ },
  ],
  [
    "a view in place of the table",
    [
      "ALTER TABLE mcp_sessions RENAME TO sessions",
      "CREATE VIEW mcp_sessions AS SELECT * FROM sessions",
      "ALTER VIEW mcp_sessions OWNER TO mcp",
    ],
    { level: "error", about: "kind", what: "mcp_sessions is a view." },
  ],
  [
    "a partitioned table in its place",
    ["DROP TABLE mcp_sessions", "CREATE TABLE mcp_sessions (session_id text) PARTITION BY HASH (session_id)"],
    { level: "error", about: "kind", what: "mcp_sessions is a partitioned table." },
  ],
  [
    "tables that inherit from it",
    ["CREATE TABLE archive () INHERITS (mcp_sessions)"],
    { level: "warning", about: "children", what: "Other tables inherit from mcp_sessions: archive." },
  ],
  [
    "a table that it inherits from",
    ["CREATE TABLE base (session_id text)", "ALTER TABLE mcp_sessions INHERIT base"],
    { level: "warning", about: "parents", what: /inherits from base/ },
  ],
  ["an unlogged table", ["ALTER TABLE mcp_sessions SET UNLOGGED"], { level: "warning", about: "unlogged" }],
  [
    "a table without autovacuum",
    ["ALTER TABLE mcp_sessions SET (autovacuum_enabled = off)"],
    { level: "warning", about: "autovacuum" },
  ],
  [
    "an index that is missing",
    ["DROP INDEX idx_mcp_sessions_expires"],
    { level: "warning", about: "index", what: "The index idx_mcp_sessions_expires is missing." },
  ],
  [
    "an index on some of the rows by the name of ours on all",
    [
      "DROP INDEX idx_mcp_sessions_expires",
      "CREATE INDEX idx_mcp_sessions_expires ON mcp_sessions (expires_at) WHERE principal IS NOT NULL",
    ],
    { level: "warning", about: "index", what: expect.stringContaining("another program's") },
  ],
  [
    "another index on some of the rows, where ours on some is missing",
    [
      "DROP INDEX idx_mcp_tasks_alive",
      "CREATE INDEX theirs ON mcp_tasks (status, leased_until) WHERE status = 'failed'",
    ],
    { level: "warning", about: "index", what: "The index idx_mcp_tasks_alive is missing." },
  ],
  ...["idx_mcp_sessions_expires", "idx_mcp_sessions_by_owner"].map((name): [string, string[], Expected] => [
    `another program's index by the name of ${name}`,
    [`DROP INDEX ${name}`, `CREATE INDEX ${name} ON mcp_sessions (created_at)`],
    {
      level: "warning",
      about: "index",
      what: new RegExp(`^The index ${name} is another program's: CREATE INDEX .* \\(created_at\\)\\.$`),
      todo: `ALTER INDEX ${name} RENAME TO other_${name}; then npm run db:migrate`,
    },
  ]),
  [
    "an index whose building was interrupted",
    ["UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_mcp_sessions_expires'::regclass"],
    {
      level: "warning",
      about: "index",
      todo: "DROP INDEX CONCURRENTLY idx_mcp_sessions_expires; then npm run db:migrate",
    },
  ],
  [
    "rows of another table that keep sessions",
    ["CREATE TABLE calls (session_id text CONSTRAINT of_session REFERENCES mcp_sessions)"],
    {
      level: "warning",
      about: "foreign_key",
      what: "calls (session_id) refers to sessions: foreign key of_session, which does not let them go.",
      todo: /ADD FOREIGN KEY \(session_id\) REFERENCES mcp_sessions \(session_id\) ON DELETE CASCADE/,
    },
  ],
  [
    "rows of another table that are searched for each session",
    [
      "CREATE TABLE calls (id int, session_id text REFERENCES mcp_sessions ON DELETE CASCADE)",
      "CREATE INDEX ON calls (id, session_id)",
      "CREATE INDEX ON calls (session_id) WHERE id > 1",
    ],
    {
      level: "warning",
      about: "foreign_key_index",
      todo: "CREATE INDEX CONCURRENTLY ON calls (session_id);",
    },
  ],
  [
    "rows of another table that go with their session",
    ["CREATE TABLE calls (session_id text REFERENCES mcp_sessions ON DELETE CASCADE)"],
    { level: "note", about: "foreign_key" },
  ],
  [
    "a reference that cannot be set to NULL",
    ["CREATE TABLE calls (session_id text NOT NULL REFERENCES mcp_sessions ON DELETE SET NULL)"],
    { level: "warning", about: "foreign_key", what: /although the column is NOT NULL/ },
  ],
  [
    "a reference to an id beside another primary key",
    [
      "ALTER TABLE mcp_sessions DROP CONSTRAINT mcp_sessions_pkey, ADD UNIQUE (session_id), ADD id bigserial PRIMARY KEY",
      "CREATE TABLE calls (session_id text REFERENCES mcp_sessions (session_id))",
    ],
    {
      level: "warning",
      about: "foreign_key",
      todo: /REFERENCES mcp_sessions \(session_id\) ON DELETE CASCADE/,
    },
  ],
  [
    "a condition of a publication",
    ["CREATE PUBLICATION theirs FOR TABLE mcp_tasks WHERE (status = 'completed')"],
    { level: "error", about: "publication_filter", what: /of mcp_tasks, by columns/ },
  ],
  [
    "columns of a publication",
    ["CREATE PUBLICATION theirs FOR TABLE mcp_handles (owner, kind)"],
    { level: "error", about: "publication_filter", means: "Every UPDATE of its rows fails with 42P10." },
  ],
  [
    "policies on tables of ours",
    [
      "ALTER TABLE mcp_session_changes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
      "ALTER TABLE mcp_handles ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
      "CREATE POLICY own ON mcp_handles USING (owner = current_user)",
    ],
    {
      level: "warning",
      about: "row_security_of_ours",
      what: /on mcp_handles, mcp_session_changes, and no policy/,
    },
  ],
  [
    "numbers of runs that are taken",
    [
      `INSERT INTO mcp_cleanup_runs (run_id, tier, trigger, scheduled_at, cutoff, started_at, outcome, finished_at) OVERRIDING SYSTEM VALUE
       SELECT i, 'regular', 'cron', now(), now(), now(), 'completed', now() FROM generate_series(1, 20) i`,
    ],
    {
      level: "warning",
      about: "drift",
      what: /Would continue the numbers of cleanup runs after the last record\./,
    },
  ],
  [
    "a trigger of another program",
    trigger("UPDATE", "NULL"),
    { level: "note", about: "trigger", what: /the trigger theirs: CREATE TRIGGER theirs BEFORE UPDATE/ },
  ],
  [
    "a rule",
    ["CREATE RULE theirs AS ON DELETE TO mcp_sessions DO ALSO NOTIFY gone"],
    {
      level: "warning",
      about: "rule",
      todo: "Use a trigger in its place: DROP RULE theirs ON mcp_sessions;",
    },
  ],
  [
    "a policy that may hide rows",
    [
      "ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
      "CREATE POLICY theirs ON mcp_sessions USING (session_id <> 'x')",
    ],
    { level: "warning", about: "rows_hidden" },
  ],
  [
    "a policy that lets everything through",
    [
      "ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
      "CREATE POLICY theirs ON mcp_sessions USING (true)",
    ],
    { level: "note", about: "row_security" },
  ],
  [
    "a publication of a table without a replica identity",
    ["ALTER TABLE mcp_sessions REPLICA IDENTITY NOTHING", "CREATE PUBLICATION theirs FOR TABLE mcp_sessions"],
    {
      level: "error",
      about: "replica_identity",
      what: "The publication theirs has mcp_sessions, which has no replica identity.",
      todo: "ALTER TABLE mcp_sessions REPLICA IDENTITY FULL; or take the table out of the publication.",
    },
  ],
  [
    "a publication",
    ["CREATE PUBLICATION theirs FOR TABLE mcp_sessions, mcp_session_totals"],
    {
      level: "note",
      about: "publication",
      what: "The publication theirs sends mcp_session_totals, mcp_sessions to its subscribers.",
    },
  ],
  [
    "a subscription",
    [
      "CREATE SUBSCRIPTION theirs_THIS CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)",
      "INSERT INTO pg_subscription_rel SELECT oid, 'mcp_sessions'::regclass, 'r', NULL FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())",
    ],
    { level: "warning", about: "subscription", what: /theirs_\w+ writes to mcp_sessions/ },
  ],
  [
    "counts that are wrong",
    ["SET session_replication_role = replica", "INSERT INTO mcp_sessions (session_id) VALUES ('a'), ('b')"],
    { level: "warning", about: "counts", what: "Health counts 0 sessions, and the table has 2." },
  ],
  [
    "a schema that is not this checkout's",
    ["DROP FUNCTION mcp_recount_sessions"],
    {
      level: "warning",
      about: "drift",
      what: /Would apply mcp_recount_sessions: missing in the database/,
      todo: "npm run db:migrate",
    },
  ],
  [
    "a schema of a later version",
    ["INSERT INTO mcp_schema_journal VALUES ('9999_later', '')"],
    { level: "warning", about: "drift", what: /a later version has migrated this database/ },
  ],
  [
    "a routine that is gone",
    ["DROP FUNCTION mcp_try_session"],
    {
      level: "error",
      about: "life",
      what: "The routine mcp_try_session is missing.",
      todo: "npm run db:migrate",
    },
  ],
  [
    "no table",
    ["DROP TABLE mcp_sessions"],
    { level: "error", about: "drift", what: /There is no mcp_sessions/ },
  ],
  ...[
    ["default_transaction_isolation = serializable", "error", "isolation"],
    ["default_transaction_isolation = 'repeatable read'", "error", "isolation"],
    ["default_transaction_read_only = on", "error", "read_only"],
    ["statement_timeout = '30s'", "warning", "statement_timeout"],
    ["lock_timeout = '200ms'", "warning", "lock_timeout"],
    ["idle_in_transaction_session_timeout = '1s'", "note", "idle_in_transaction_session_timeout"],
    ["session_replication_role = replica", "warning", "session_replication_role"],
  ].map(([setting = "", level, about = ""]): (typeof cases)[number] => [
    setting,
    [`ALTER ROLE mcp IN DATABASE THIS SET ${setting}`],
    { level, about, todo: expect.stringContaining(`ALTER ROLE mcp IN DATABASE db_`) },
  ]),
];

describe("it finds", () => {
  test.concurrent.each(cases)("%s", async (_name, statements, expected) => {
    const found = await checked(await prepared(...statements));
    const matching = found.filter(({ level, about }) => level === expected.level && about === expected.about);
    expect(matching, JSON.stringify(found, null, 2)).toHaveLength(1);
    expect(matching[0]).toMatchObject(asMatchers(expected));
    // Errors come first, and nothing of the connection string is repeated.
    const ranks = found.map(({ level }) => ["error", "warning", "note"].indexOf(level));
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
    expect(JSON.stringify(found)).not.toMatch(/secret|ep-check/);
  });
});

test("settings that are generous are no finding", async () => {
  const config = await prepared(
    ...[
      "statement_timeout = '40s'",
      "lock_timeout = '1s'",
      "idle_in_transaction_session_timeout = '1min'",
      "default_transaction_isolation = 'read committed'",
    ].map((setting) => `ALTER ROLE mcp IN DATABASE THIS SET ${setting}`),
  );
  expect(await checked(config)).toEqual([]);
});

test("a reference that sets the id alone to NULL is no finding", async () => {
  const config = await prepared(
    "ALTER TABLE mcp_sessions ADD tenant text DEFAULT 't', ADD UNIQUE (tenant, session_id)",
    `CREATE TABLE calls (tenant text NOT NULL, session_id text,
       FOREIGN KEY (tenant, session_id) REFERENCES mcp_sessions (tenant, session_id) ON DELETE SET NULL (session_id))`,
    "CREATE INDEX ON calls (tenant, session_id)",
  );
  expect(await checked(config)).toEqual([]);
});

test.each(["(session_id)", "(session_id, id)"])(
  "a reference with the index %s is no warning",
  async (columns) => {
    const config = await prepared(
      "CREATE TABLE calls (id int, session_id text REFERENCES mcp_sessions ON DELETE CASCADE)",
      `CREATE INDEX ON calls ${columns}`,
    );
    expect(await checked(config)).toMatchObject([{ level: "note", about: "foreign_key" }]);
  },
);

test("a limit of transactions is told, where PostgreSQL has it", async () => {
  const config = await prepared();
  // Since PostgreSQL 17.
  const hasIt = await valueOf(
    config,
    "SELECT count(*)::int FROM pg_settings WHERE name = 'transaction_timeout'",
  );
  const setting = hasIt === 1 ? "transaction_timeout = '1s'" : "work_mem = '8MB'";
  await query(config, `ALTER ROLE mcp IN DATABASE ${config.database} SET ${setting}`);
  expect((await checked(config)).map(({ about }) => about)).toEqual(
    hasIt === 1 ? ["transaction_timeout"] : [],
  );
});

test("a role with fewer rights than the Worker needs is told the grants that are missing", async () => {
  const config = await prepared(
    "CREATE ROLE fewer LOGIN PASSWORD 'secret/password'",
    "GRANT SELECT ON mcp_sessions TO fewer",
    "REVOKE EXECUTE ON FUNCTION mcp_resume_session FROM PUBLIC",
  );
  const found = await checked(config, "fewer");
  const rights = found.find(({ about }) => about === "rights");
  expect(rights?.level).toBe("error");
  expect(rights?.todo).toContain("GRANT DELETE ON mcp_sessions TO fewer;");
  expect(rights?.todo).toContain(
    "GRANT EXECUTE ON ROUTINE mcp_resume_session(text,text,integer,integer,integer) TO fewer;",
  );
  expect(rights?.todo).not.toContain("GRANT SELECT ON mcp_sessions");
  // It may not read the journal, which the Worker need not.
  expect(found.find(({ about }) => about === "drift")?.level).toBe("note");
});

describe("the search_path", () => {
  test("of the connection string is refused, because the Worker would not get it", async () => {
    const config = await prepared();
    const url = `${urlOf(config)}?options=-c%20search_path%3Dapp`;
    await expect(check(url, neon.endpoint)).rejects.toThrow("ALTER ROLE … SET search_path = …");
  });

  test("that a pooled connection still has is told", async () => {
    const config = await prepared("CREATE SCHEMA app AUTHORIZATION mcp");
    await migrate({ ...config, user: "mcp", password: PASSWORD, options: "-c search_path=app" });
    // The local Neon keeps the connection of this check, and with it the search_path of now.
    expect((await checked(config)).filter(({ level }) => level === "error")).toEqual([]);
    await query(config, `ALTER ROLE mcp IN DATABASE ${config.database} SET search_path = app`);
    expect(await checked(config)).toContainEqual(
      expect.objectContaining({
        level: "error",
        about: "search_path",
        what: "Over HTTP mcp_sessions is in schema public, over TCP in app.",
      }),
    );
  });
});

describe("HTTP", () => {
  test("that does not answer is an error", async () => {
    const config = await prepared();
    // Port 9, discard: nobody has it.
    const found = await check(urlOf(config), "http://127.0.0.1:9/sql");
    expect(found).toContainEqual(
      expect.objectContaining({
        level: "error",
        about: "life",
        what: expect.stringMatching(
          /^Over HTTP: A session's life could not be tried: .*database_unreachable/,
        ),
      }),
    );
  });

  test("is not tried with a host that is not Neon's, which is told", async () => {
    expect(await check(urlOf(await prepared()))).toMatchObject([{ level: "note", about: "http" }]);
  });

  test("with variables that the Worker refuses is an error", async () => {
    const found = await check(urlOf(await prepared()), "http://neon.example/sql");
    expect(found).toContainEqual(
      expect.objectContaining({
        level: "error",
        about: "configuration",
        what: expect.stringContaining("NEON_ENDPOINT_OVERRIDE must be"),
      }),
    );
  });

  test("and what it finds there alone is told as such", async () => {
    const config = await prepared();
    // The pooled connection has the setting of before; new ones over TCP do not.
    await query(
      config,
      `ALTER ROLE mcp IN DATABASE ${config.database} SET default_transaction_read_only = on`,
    );
    await fetchOnce(config);
    await query(config, `ALTER ROLE mcp IN DATABASE ${config.database} RESET default_transaction_read_only`);
    expect(await checked(config)).toMatchObject([
      {
        level: "error",
        about: "life",
        what: expect.stringMatching(/^Over HTTP: No session can be opened: .*read-only \(25006\)/),
      },
    ]);
  });
});

/** Makes the local Neon open a connection, which it keeps. */
const fetchOnce = (config: ClientConfig) =>
  fetch(neon.endpoint, {
    method: "POST",
    headers: {
      "Neon-Connection-String": urlOf(config),
      "Neon-Raw-Text-Output": "true",
      "Neon-Array-Mode": "true",
    },
    body: JSON.stringify({ query: "SELECT 1", params: [] }),
  });

test("a pooler in the connection string is told", async () => {
  const config = await prepared();
  const found = await check(`${urlOf(config)}?pgbouncer=true`, neon.endpoint);
  expect(found).toMatchObject([{ level: "note", about: "pooler" }]);
});

test.each([
  [13, "error"],
  [14, undefined],
  [18, undefined],
  [19, "warning"],
])("of PostgreSQL %i it says: %s", (version, level) => {
  expect(versionFindings(version)[0]?.level).toBe(level);
});

test("a read replica is told", async () => {
  const postgres = await startTestPostgres();
  try {
    const { host, port, user, password } = postgres;
    const config = { host, port, user, password, database: "postgres" };
    await migrate(config);
    const folder = await valueOf(config, "SHOW data_directory");
    await postgres.stop();
    // With this file a server is a standby, also without a primary.
    writeFileSync(join(String(folder), "standby.signal"), "");
    await postgres.start();
    const found = await check(`postgresql://${user}:${password}@${host}:${port}/postgres`);
    expect(found).toMatchObject([
      { level: "error", about: "life", what: expect.stringMatching(/read-only \(25006\)/) },
      { level: "error", about: "read_only", what: "The server is a read replica." },
      { level: "note", about: "http" },
    ]);
  } finally {
    await postgres.remove();
  }
});

test("a database that cannot be reached is an error without the password", async () => {
  const config = adminOf("nowhere");
  const found = await check(urlOf(config), neon.endpoint);
  expect(found).toMatchObject([{ level: "error", about: "connection" }]);
  expect(JSON.stringify(found)).not.toContain("secret");
});

test("a root certificate that is not there is an error", async () => {
  const found = await check(
    `${urlOf(await prepared())}?sslmode=verify-full&sslrootcert=/nowhere`,
    neon.endpoint,
  );
  expect(found).toMatchObject([
    {
      about: "connection",
      what: expect.stringContaining("ENOENT: no such file or directory, open '/nowhere'"),
    },
  ]);
});

test("files that hold no certificate or key, and a key with a passphrase, are said so", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-keys-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const pathOf = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return encodeURIComponent(join(folder, name));
  };
  const database = await prepared();
  const problemOf = async (parameters: string) =>
    (await check(`${urlOf(database)}?sslmode=verify-full&${parameters}`, neon.endpoint))[0]?.what;
  for (const name of ["sslrootcert", "sslcert", "sslkey"])
    expect(await problemOf(`${name}=${pathOf(name, "no PEM")}`)).toMatch(
      new RegExp(
        `${name} of the connection string is a file without a (certificate|private key) in PEM form`,
      ),
    );
  const { privateKey } = generateKeyPairSync("ed25519", {
    privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  expect(await problemOf(`sslkey=${pathOf("key", privateKey)}`)).toContain("and have no passphrase");
});

const run = promisify(execFile);
/** Runs the command; what it prints and how it exits. */
async function command(env: Record<string, string>, ...options: string[]) {
  const settings = { env: { ...process.env, DATABASE_URL: "", NEON_ENDPOINT_OVERRIDE: "", ...env } };
  try {
    const { stdout } = await run(process.execPath, ["drizzle/check.ts", ...options], settings);
    return { code: 0, stdout, stderr: "" };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

describe("the command", () => {
  test("exits with 0 and one line when there is nothing to say", async () => {
    const env = { DATABASE_URL: urlOf(await prepared()), NEON_ENDPOINT_OVERRIDE: neon.endpoint };
    expect(await command(env)).toMatchObject({
      code: 0,
      stdout: "The Worker can work with this database.\n",
    });
  });

  test("exits with 1 when the Worker cannot work, and with 0 after warnings", async () => {
    const config = await prepared("ALTER TABLE mcp_sessions SET UNLOGGED");
    const env = { DATABASE_URL: urlOf(config), NEON_ENDPOINT_OVERRIDE: neon.endpoint };
    expect(await command(env)).toMatchObject({
      code: 0,
      stdout: `Warning: mcp_sessions is an unlogged table. A crash empties it, so every client loses its session.
  To do: ALTER TABLE mcp_sessions SET LOGGED;

The Worker can work with this database: 1 warning.
`,
    });
    await query(config, ...trigger("DELETE", "RETURN NULL"));
    const { code, stdout } = await command(env);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^Error: An expired session cannot be deleted/);
    expect(stdout).toMatch(/The Worker cannot work with this database: 1 error, 1 warning, 1 note\.\n$/);
    expect(stdout).not.toContain("secret");
  });

  test("prints JSON for scripts", async () => {
    const env = { DATABASE_URL: urlOf(await prepared("ALTER TABLE mcp_sessions SET UNLOGGED")) };
    const { code, stdout } = await command(env, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      works: true,
      findings: [
        {
          level: "warning",
          about: "unlogged",
          what: expect.any(String),
          means: expect.any(String),
          todo: expect.any(String),
        },
        { level: "note", about: "http" },
      ],
    });
  });

  test.each([
    ["an unknown option", {}, ["--fix"], /Usage: npm run db:check/],
    ["a connection string as an argument", {}, ["postgresql://role:a/b@host/db"], /read from DATABASE_URL/],
    ["no DATABASE_URL", {}, [], /Set DATABASE_URL/],
    [
      "a password that is not encoded",
      { DATABASE_URL: "postgresql://role:a/b@ep-x.eu.aws.neon.tech/db" },
      [],
      /write \/ as %2F/,
    ],
  ])("exits with 2 for %s", async (_name, env, options, message) => {
    const { code, stderr } = await command(env, ...options);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("a/b");
  });
});
