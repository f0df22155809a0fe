// Which rights a migration needs, which it leaves alone, and in which schema the tables are.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClientConfig } from "pg";
import { expect, test } from "vitest";
import { migrate } from "../../drizzle/migrate.ts";
import {
  applyFormer,
  cleanUp,
  counted,
  createDatabase,
  query,
  schemaOf,
  valueOf,
  withCopy,
} from "./databases.ts";

const opening = "SELECT mcp_open_session('new', 'alice', '2025-11-25', '{}', '{}', 60, NULL, 5)";

/** A role that may log in, of the name that `config`'s database has. */
async function createRole(config: ClientConfig): Promise<ClientConfig & { user: string }> {
  const user = `role_${String(config.database)}`;
  await query(config, `CREATE ROLE ${user} LOGIN PASSWORD 'p'`);
  return { ...config, user, password: "p" };
}

test("a role that owns its schema, and may create none, can migrate", async () => {
  const admin = await createDatabase();
  const owner = await createRole(admin);
  await query(
    admin,
    `REVOKE ALL ON DATABASE ${String(admin.database)} FROM PUBLIC`,
    `GRANT CONNECT ON DATABASE ${String(admin.database)} TO ${owner.user}`,
    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    `CREATE SCHEMA own AUTHORIZATION ${owner.user}`,
    `ALTER ROLE ${owner.user} SET search_path = own`,
  );
  await migrate(owner);
  expect(await migrate(owner)).toEqual([]);
  expect(await valueOf(owner, opening)).toBe(0);
  expect(await query(owner, cleanUp)).toMatchObject([{ outcome: "completed" }]);
  expect(await query(owner, counted)).toEqual([{ total: 1, is_right: true }]);
  expect(await valueOf(admin, "SELECT count(*)::int FROM pg_namespace WHERE nspname = 'drizzle'")).toBe(0);
  expect(await schemaOf(admin)).toEqual([]);
});

test("the search_path chooses the schema; the same tables come in each", async () => {
  const admin = await createDatabase('CREATE SCHEMA "App"', "CREATE SCHEMA tenant");
  const at = (path: string) => ({ ...admin, options: `-c search_path=${path}` });
  await migrate(admin);
  const lines = await migrate(at('"App"'));
  // The Worker connects over HTTP, where such parameters mean nothing.
  expect(lines).toContain(
    'Note: the connection string sets the search_path, and the Worker ignores that. Set it for the role: ALTER ROLE … SET search_path = "App"',
  );
  expect(lines).toContain("Note: schema public has an mcp_sessions, too; this is about schema App");
  await migrate(at("tenant"));
  const fresh = await schemaOf(admin);
  expect(await schemaOf(admin, "tenant")).toEqual(fresh);
  expect(await schemaOf(admin, "App")).toEqual(fresh);

  // A caller with another search_path counts in the schema of the table.
  await query(
    admin,
    "SET search_path = pg_catalog",
    `INSERT INTO "App".mcp_sessions (session_id) VALUES ('a'), ('b')`,
  );
  expect(await query(at('"App"'), counted)).toEqual([{ total: 2, is_right: true }]);
  expect(await query(at("tenant"), counted)).toEqual([{ total: 0, is_right: true }]);
  expect(await query(admin, counted)).toEqual([{ total: 0, is_right: true }]);
});

test("a table that the search_path finds later than an empty schema is adopted where it is", async () => {
  const admin = await createDatabase("CREATE SCHEMA early", "CREATE SCHEMA late");
  await migrate({ ...admin, options: "-c search_path=late" });
  const both = { ...admin, options: "-c search_path=early,late" };
  expect((await migrate(both)).filter((line) => !line.startsWith("Note"))).toEqual([]);
  expect(await schemaOf(admin, "early")).toEqual([]);
});

test("what stands before ours by the name of one of our tables is named, because the Worker would use it", async () => {
  const config = await createDatabase(
    "CREATE SCHEMA app",
    "CREATE TABLE app.mcp_tasks (id serial PRIMARY KEY, title text)",
    "CREATE TABLE public.mcp_sessions (session_id text PRIMARY KEY, created_at timestamptz, last_active timestamptz, expires_at timestamptz, capabilities jsonb, client_info jsonb)",
  );
  const both = { ...config, options: "-c search_path=app,public" };
  await expect(migrate(both)).rejects.toThrow(
    "the search_path has a schema before public in which the Worker would find other tables by the names of ours: app.mcp_tasks.",
  );
  await query(config, "ALTER TABLE app.mcp_tasks RENAME TO todo");
  await migrate(both);
});

test("a trigger that needs another schema of the search_path keeps no table from being adopted", async () => {
  const config = await createDatabase(
    "CREATE SCHEMA app",
    "CREATE TABLE app.log (id text)",
    "CREATE TABLE public.mcp_sessions (session_id text PRIMARY KEY, created_at timestamptz, last_active timestamptz, expires_at timestamptz, capabilities jsonb, client_info jsonb)",
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (NEW.session_id); RETURN NULL; END $$",
    "CREATE TRIGGER note AFTER INSERT ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION note()",
  );
  await expect(migrate(config)).rejects.toThrow("a table is missing");
  await migrate({ ...config, options: "-c search_path=public,app" });
});

test("a name without quotes is read in lower case, as PostgreSQL does", async () => {
  const config = await createDatabase();
  await migrate({ ...config, options: "-c search_path=PUBLIC" });
  expect(await migrate(config)).toEqual([]);
});

test("functions with the rights of their owner see no temporary table in place of ours", async () => {
  const config = await createDatabase();
  await migrate(config);
  const paths =
    "SELECT jsonb_agg(DISTINCT proconfig) FROM pg_proc WHERE prosecdef AND proname LIKE 'mcp\\_%'";
  expect(await valueOf(config, paths)).toEqual([['search_path="public", pg_temp']]);
});

test.each([
  ["missing", "missing"],
  ["missing,public", "missing"],
  ['"Missing",public', "Missing"],
])("a search_path of %s is refused, and nothing is changed", async (path, name) => {
  const config = await createDatabase();
  await expect(migrate({ ...config, options: `-c search_path=${path}` })).rejects.toThrow(
    `the search_path names a schema that does not exist: ${name}`,
  );
  expect(await schemaOf(config)).toEqual([]);
});

test("a least-privileged role keeps what it may, over routines that are replaced", async () => {
  const config = await createDatabase();
  // Its mcp_cleanup_sessions has an argument less than today's.
  await applyFormer(config, 10);
  const worker = await createRole(config);
  const tables = "mcp_sessions, mcp_cleanup_runs, mcp_session_totals";
  await query(
    config,
    "REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA public FROM PUBLIC",
    `GRANT EXECUTE ON ALL ROUTINES IN SCHEMA public TO ${worker.user}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ${tables} TO ${worker.user}`,
    `GRANT SELECT ON mcp_session_changes TO ${worker.user}`,
    "INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('old', now() - interval '1 day')",
  );
  await migrate(config);
  expect(await query(worker, cleanUp)).toMatchObject([{ outcome: "completed", deleted: "1" }]);
  expect(await valueOf(worker, opening)).toBe(0);
  expect(await query(worker, counted)).toEqual([{ total: 1, is_right: true }]);
  // And nobody else may more than before.
  const stranger = `stranger_${String(config.database)}`;
  await query(config, `CREATE ROLE ${stranger}`);
  const allowed = `SELECT coalesce(jsonb_agg(proname ORDER BY 1), '[]') FROM pg_proc
                    WHERE pronamespace = 'public'::regnamespace AND prorettype <> 'trigger'::regtype
                      AND has_function_privilege('${stranger}', oid, 'EXECUTE')`;
  expect(await valueOf(config, allowed)).toEqual([]);
});

test("what a superuser migrates again stays with its owner", async () => {
  const admin = await createDatabase();
  const owner = await createRole(admin);
  await query(admin, `ALTER SCHEMA public OWNER TO ${owner.user}`);
  await applyFormer({ ...admin }, 0);
  await query(
    admin,
    "DROP SCHEMA drizzle CASCADE",
    `ALTER TABLE mcp_sessions OWNER TO ${owner.user}`,
    `ALTER TABLE mcp_cleanup_runs OWNER TO ${owner.user}`,
  );
  await migrate(owner);
  await query(admin, "ALTER FUNCTION mcp_merge_session_changes SECURITY INVOKER");
  await migrate(admin);
  const owners = `SELECT jsonb_agg(DISTINCT pg_get_userbyid(proowner)) FROM pg_proc WHERE proname LIKE 'mcp\\_%'`;
  expect(await valueOf(admin, owners)).toEqual([owner.user]);
});

test("a program that may write sessions and execute no function of ours goes on", async () => {
  const config = await createDatabase(
    "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
    `CREATE TABLE mcp_sessions (session_id TEXT PRIMARY KEY, created_at TIMESTAMPTZ DEFAULT now(), last_active TIMESTAMPTZ DEFAULT now(),
       expires_at TIMESTAMPTZ, capabilities JSONB DEFAULT '{}', client_info JSONB DEFAULT '{}')`,
  );
  const program = await createRole(config);
  await query(config, `GRANT SELECT, INSERT, UPDATE, DELETE ON mcp_sessions TO ${program.user}`);
  await migrate(config);
  await query(
    program,
    "INSERT INTO mcp_sessions (session_id) VALUES ('a'), ('b'), ('c')",
    "UPDATE mcp_sessions SET expires_at = now()",
    "DELETE FROM mcp_sessions WHERE session_id = 'a'",
  );
  expect(await query(config, counted)).toEqual([{ total: 2, is_right: true }]);
});

/** A database that another role has migrated, and the role that migrates it next, with rights on everything but roles. */
async function createTwo() {
  const admin = await createDatabase();
  const owner = await createRole(admin);
  const user = `next_${String(admin.database)}`;
  await query(admin, `GRANT CREATE ON SCHEMA public TO ${owner.user}`);
  await migrate(owner);
  await query(
    admin,
    `CREATE ROLE ${user} LOGIN PASSWORD 'p'`,
    `GRANT ALL ON SCHEMA public TO ${user}`,
    `GRANT ALL ON ALL TABLES IN SCHEMA public TO ${user}`,
    `GRANT ALL ON ALL ROUTINES IN SCHEMA public TO ${user}`,
  );
  return { admin, owner, next: { ...admin, user, password: "p" } };
}

test.each([
  [
    "a new routine",
    "mcp_extra",
    "CREATE OR REPLACE FUNCTION mcp_extra() RETURNS int LANGUAGE sql AS 'SELECT 1';",
  ],
  [
    "one that has changed",
    "mcp_recount_sessions",
    "CREATE OR REPLACE FUNCTION mcp_recount_sessions() RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint';",
  ],
  [
    "one with other arguments",
    "mcp_recount_sessions",
    "CREATE OR REPLACE FUNCTION mcp_recount_sessions(a int DEFAULT 1) RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint';",
  ],
])(
  "%s goes to the owner of the others, or is refused with what an administrator has to run",
  async (_, name, text) => {
    const { admin, owner, next } = await createTwo();
    const before = await schemaOf(admin);
    await withCopy("drizzle", async (folder) => {
      writeFileSync(join(folder, `routines/${name}.sql`), text);
      const refusal = `${owner.user} owns the routines, and ${next.user} may not act for it. Migrate as ${owner.user}, or let an administrator run: `;
      const grant = `GRANT ${owner.user} TO ${next.user}`;
      await expect(migrate(next, folder)).rejects.toThrow(refusal + grant);
      expect(await schemaOf(admin)).toEqual(before);
      await query(admin, grant);
      expect(await migrate(next, folder)).toContainEqual(expect.stringContaining(`Applied ${name}: `));
      const made = `SELECT jsonb_agg(DISTINCT pg_get_userbyid(proowner)) FROM pg_proc WHERE proname LIKE 'mcp\\_%'`;
      expect(await valueOf(admin, made)).toEqual([owner.user]);
      expect(await migrate(owner, folder)).toEqual([]);
    });
  },
);

test("a role that may make no routines any more gets none, and is named", async () => {
  const { admin, owner, next } = await createTwo();
  await query(
    admin,
    `REVOKE CREATE ON SCHEMA public FROM ${owner.user}, PUBLIC`,
    `GRANT ${owner.user} TO ${next.user}`,
  );
  await withCopy("drizzle", async (folder) => {
    const text = "CREATE OR REPLACE FUNCTION mcp_extra() RETURNS int LANGUAGE sql AS 'SELECT 1';";
    writeFileSync(join(folder, "routines/mcp_extra.sql"), text);
    const grant = `GRANT CREATE ON SCHEMA public TO ${owner.user}`;
    await expect(migrate(next, folder)).rejects.toThrow(
      `${owner.user} owns the routines, and may make none in schema public. Let an administrator run: ${grant}`,
    );
    await query(admin, grant);
    expect(await migrate(next, folder)).toEqual(["Applied mcp_extra: not applied yet"]);
  });
});
