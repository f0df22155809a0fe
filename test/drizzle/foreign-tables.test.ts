// What other programs, owners and engines bring to a database: each is adopted and goes on, or is refused with its reason
// and is as it was.
import type { ClientConfig } from "pg";
import { describe, expect, test } from "vitest";
import { driftOf, migrate } from "../../drizzle/migrate.ts";
import { reasonOf } from "../../drizzle/connection.ts";
import { connected } from "../support/postgres.ts";
import { adminOf, counted, createDatabase, query, schemaOf, valueOf } from "./databases.ts";
import { cleanUpAll, liveAndEnd, otherProgram } from "./life.ts";
import { adoptByStatements, refusalOf, rowsOf } from "./refusals.ts";

const COLUMNS = `session_id text PRIMARY KEY, created_at timestamptz DEFAULT now(), last_active timestamptz DEFAULT now(),
  expires_at timestamptz, capabilities jsonb DEFAULT '{}', client_info jsonb DEFAULT '{}'`;
const table = (...more: string[]) => `CREATE TABLE mcp_sessions (${[COLUMNS, ...more].join(", ")})`;
const TABLE = table();

const old = (count: number, name = "old") =>
  `INSERT INTO mcp_sessions (session_id, expires_at)
   SELECT '${name}' || i, now() - interval '1 day' - i * interval '1 second' FROM generate_series(1, ${count}) i`;

/** A role that owns the schema and what is made in it, as most programs have it; the superuser runs `before`. */
async function createOwned(before: string[], ...statements: string[]): Promise<ClientConfig> {
  const config = await createDatabase();
  const user = `owner_${String(config.database)}`;
  await query(config, `CREATE ROLE ${user} LOGIN PASSWORD 'p'`, `ALTER SCHEMA public OWNER TO ${user}`);
  const owner = { ...config, user, password: "p" };
  await query(config, ...before.map((text) => text.replaceAll("OWNER_ROLE", user)));
  await query(owner, ...statements);
  return owner;
}

/** The superuser, in the same database. */
const adminOn = ({ database }: ClientConfig) => adminOf(String(database));

const audit = [
  "CREATE TABLE audit (what text, rows bigint)",
  `CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     INSERT INTO audit SELECT TG_OP, count(*) FROM changed;
     RETURN NULL;
   END $$`,
  "CREATE TRIGGER a AFTER INSERT ON mcp_sessions REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION audited()",
  "CREATE TRIGGER b AFTER UPDATE ON mcp_sessions REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION audited()",
  "CREATE TRIGGER c AFTER DELETE ON mcp_sessions REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION audited()",
];

/** What the owner does; and what the superuser does before and after. */
const adopted: Record<string, { before?: string[]; make: string[]; after?: string[] }> = {
  "statuses that are enums, with a check and indexes of some rows": {
    make: [
      "CREATE TYPE session_status AS ENUM ('active', 'closed')",
      table("status session_status NOT NULL DEFAULT 'active'", "closed_at timestamptz"),
      "ALTER TABLE mcp_sessions ADD CHECK ((status = 'closed') = (closed_at IS NOT NULL))",
      "CREATE INDEX by_status ON mcp_sessions (status, expires_at) WHERE status = 'active'",
      "CREATE UNIQUE INDEX one_closed ON mcp_sessions (status) WHERE status = 'closed'",
    ],
  },
  "identity keys, and columns that are generated from ours": {
    make: [
      `CREATE TABLE mcp_sessions (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ${COLUMNS.replace("PRIMARY KEY", "NOT NULL UNIQUE")},
         lifetime interval GENERATED ALWAYS AS (expires_at - created_at) STORED,
         client text GENERATED ALWAYS AS (client_info ->> 'name') STORED)`,
      "CREATE INDEX by_client ON mcp_sessions (client)",
    ],
  },
  "domains with checks that sessions pass": {
    make: [
      "CREATE DOMAIN key AS text CHECK (VALUE ~ '^[!-~]+$' AND length(VALUE) <= 64)",
      "CREATE DOMAIN document AS jsonb CHECK (jsonb_typeof(VALUE) = 'object')",
      "CREATE DOMAIN moment AS timestamptz CHECK (VALUE > '2000-01-01')",
      `CREATE TABLE mcp_sessions (session_id key PRIMARY KEY, created_at moment DEFAULT now(), last_active moment DEFAULT now(),
         expires_at moment, capabilities document DEFAULT '{}', client_info document DEFAULT '{}')`,
    ],
  },
  "triggers for statements, with the rows that were changed": { make: [TABLE, ...audit] },
  "an event trigger that records what is made": {
    before: [
      "CREATE TABLE made (what text)",
      "GRANT INSERT ON made TO PUBLIC",
      `CREATE FUNCTION note_made() RETURNS event_trigger LANGUAGE plpgsql AS $$
       BEGIN INSERT INTO made SELECT object_identity FROM pg_event_trigger_ddl_commands(); END $$`,
      `CREATE FUNCTION note_dropped() RETURNS event_trigger LANGUAGE plpgsql AS $$
       BEGIN INSERT INTO made SELECT object_identity FROM pg_event_trigger_dropped_objects(); END $$`,
      "CREATE EVENT TRIGGER made ON ddl_command_end EXECUTE FUNCTION note_made()",
      "CREATE EVENT TRIGGER dropped ON sql_drop EXECUTE FUNCTION note_dropped()",
    ],
    make: [TABLE],
  },
  "a foreign key that is checked at the commit, both ways": {
    make: [
      TABLE,
      "CREATE TABLE users (id text PRIMARY KEY, last_session text)",
      "ALTER TABLE users ADD FOREIGN KEY (last_session) REFERENCES mcp_sessions ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED",
      "ALTER TABLE mcp_sessions ADD user_id text REFERENCES users DEFERRABLE INITIALLY DEFERRED",
      old(1, "last"),
      "INSERT INTO users VALUES ('u', 'last1')",
    ],
  },
  "a trigger that ends the oldest when there are many": {
    make: [
      TABLE,
      `CREATE FUNCTION bounded() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         DELETE FROM mcp_sessions WHERE session_id IN (SELECT session_id FROM mcp_sessions ORDER BY created_at DESC OFFSET 500);
         RETURN NULL;
       END $$`,
      "CREATE TRIGGER bounded AFTER INSERT ON mcp_sessions FOR EACH STATEMENT EXECUTE FUNCTION bounded()",
    ],
  },
  "statistics of several columns": {
    make: [TABLE, "CREATE STATISTICS of_times ON expires_at, last_active FROM mcp_sessions"],
  },
  "replica identity full, in a publication of all tables": {
    make: [TABLE, "ALTER TABLE mcp_sessions REPLICA IDENTITY FULL"],
    after: ["CREATE PUBLICATION everything FOR ALL TABLES"],
  },
  "a replica identity that is an index": {
    make: [
      `CREATE TABLE mcp_sessions (${COLUMNS.replace("PRIMARY KEY", "NOT NULL")})`,
      "CREATE UNIQUE INDEX by_id ON mcp_sessions (session_id)",
      "ALTER TABLE mcp_sessions REPLICA IDENTITY USING INDEX by_id",
    ],
    after: ["CREATE PUBLICATION parts FOR TABLE mcp_sessions (session_id, expires_at)"],
  },
  "policies that let the owner see everything, also when they are forced": {
    make: [
      table("tenant text DEFAULT current_setting('app.tenant', true)"),
      "ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
      "CREATE POLICY tenants ON mcp_sessions USING (tenant = current_setting('app.tenant', true))",
      "CREATE POLICY owner ON mcp_sessions TO CURRENT_USER USING (true)",
    ],
  },
  "a hundred columns and thirty indexes": {
    make: [
      table(...Array.from({ length: 100 }, (_, i) => `c${i} text`)),
      ...Array.from({ length: 30 }, (_, i) => `CREATE INDEX ON mcp_sessions (c${i})`),
    ],
  },
};

describe.concurrent("adopted is a table with", () => {
  test.each(Object.entries(adopted))("%s", async (_, { before = [], make, after = [] }) => {
    const owner = await createOwned(before, ...make);
    await query(adminOn(owner), ...after);
    await query(owner, old(30), "INSERT INTO mcp_sessions (session_id) VALUES ('never')");
    const lines = await migrate(owner);
    expect(lines.filter((line) => line.startsWith("Note"))).toEqual([]);
    await liveAndEnd(owner);
    await query(
      owner,
      "INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('live', now() + interval '1 day')",
    );
    await query(owner, "UPDATE mcp_sessions SET last_active = now() WHERE session_id = 'live'");
    await cleanUpAll(owner);
    expect(await query(owner, counted)).toEqual([{ total: 2, is_right: true }]);
    await query(owner, "DELETE FROM mcp_sessions WHERE session_id = 'live'");
    expect(await query(owner, counted)).toEqual([{ total: 1, is_right: true }]);
    expect(await migrate(owner)).toEqual([]);
  });

  test("a trigger that lets a statement delete few rows only, by the cleanup in small steps", async () => {
    const owner = await createOwned(
      [],
      TABLE,
      `CREATE FUNCTION careful() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF (SELECT count(*) FROM gone) > 20 THEN RAISE EXCEPTION 'that is too many'; END IF;
         RETURN NULL;
       END $$`,
      "CREATE TRIGGER careful AFTER DELETE ON mcp_sessions REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION careful()",
      old(300),
      "INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('live', now() + interval '1 day')",
    );
    await migrate(owner);
    await cleanUpAll(owner);
    expect(await query(owner, "SELECT session_id FROM mcp_sessions")).toEqual([{ session_id: "live" }]);
  });

  test("two programs, each with a role and columns of its own, that write while it is migrated", async () => {
    const owner = await createOwned(
      [],
      table("of_first text", "of_second jsonb NOT NULL DEFAULT '[]'"),
      old(100),
    );
    const admin = adminOn(owner);
    const programs = ["first", "second"].map((name) => ({
      ...owner,
      user: `${name}_${String(owner.database)}`,
    }));
    // One after the other: two GRANTs on one table at the same time can fail ("tuple concurrently updated").
    for (const { user } of programs)
      await query(
        admin,
        `CREATE ROLE ${user} LOGIN PASSWORD 'p'`,
        `GRANT SELECT, INSERT, UPDATE, DELETE ON mcp_sessions TO ${user}`,
      );
    const over = new AbortController();
    const writing = programs.map((program, which) =>
      connected(program, async (client) => {
        let written = 0;
        for (; !over.signal.aborted; written++) {
          const id = `p${which}-${written}`;
          await client.query(
            `INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('${id}', now() + interval '1 day')`,
          );
          await client.query(
            `UPDATE mcp_sessions SET of_first = 'x', of_second = '[1]' WHERE session_id = '${id}'`,
          );
          if (written % 2 === 1) await client.query(`DELETE FROM mcp_sessions WHERE session_id = '${id}'`);
        }
        return Math.ceil(written / 2);
      }),
    );
    await migrate(owner).finally(() => over.abort());
    const kept = await Promise.all(writing);
    expect(Math.min(...kept)).toBeGreaterThan(0);
    expect(await query(owner, counted)).toEqual([
      { total: 100 + (kept[0] ?? 0) + (kept[1] ?? 0), is_right: true },
    ]);
    await liveAndEnd(owner);
    await cleanUpAll(owner);
    expect(await migrate(owner)).toEqual([]);
  });

  test("another of its name later on the search_path of the role, which stays as it is", async () => {
    const admin = await createDatabase(
      "CREATE SCHEMA app",
      `CREATE TABLE app.mcp_sessions (${COLUMNS}, ours boolean DEFAULT true)`,
      `CREATE TABLE mcp_sessions (${COLUMNS}, theirs boolean DEFAULT true)`,
      old(10),
    );
    await query(admin, `ALTER DATABASE ${String(admin.database)} SET search_path = app, public`);
    const before = [await schemaOf(admin), await rowsOf(admin, "public.mcp_sessions")];
    expect(await migrate(admin)).toContain(
      "Note: schema public has an mcp_sessions, too; this is about schema app",
    );
    await liveAndEnd(admin);
    await cleanUpAll(admin);
    expect([await schemaOf(admin), await rowsOf(admin, "public.mcp_sessions")]).toEqual(before);
    expect(await valueOf(admin, "SELECT count(*)::int FROM public.mcp_sessions")).toBe(10);
  });

  test("a tablespace of its own", async () => {
    const config = await createDatabase();
    await query(
      config,
      "SET allow_in_place_tablespaces = on",
      `CREATE TABLESPACE disk_${String(config.database)} LOCATION ''`,
    );
    await query(config, `${TABLE} TABLESPACE disk_${String(config.database)}`, old(10));
    await migrate(config);
    await liveAndEnd(config);
    await cleanUpAll(config);
    expect(
      await valueOf(config, "SELECT reltablespace <> 0 FROM pg_class WHERE oid = 'mcp_sessions'::regclass"),
    ).toBe(true);
  });

  test("statistics and times without a zone, after a conversion", async () => {
    const config = await createDatabase(
      TABLE.replaceAll("timestamptz", "timestamp"),
      "CREATE STATISTICS of_times ON expires_at, last_active FROM mcp_sessions",
      "CREATE STATISTICS of_ages ON (expires_at - created_at), (last_active - created_at) FROM mcp_sessions",
    );
    await migrate(config, undefined, { convert: true });
    await liveAndEnd(config);
    await cleanUpAll(config);
    expect(await valueOf(config, "SELECT count(*)::int FROM pg_statistic_ext")).toBe(2);
  });

  test("a role of the other program that has no rights on anything of ours", async () => {
    const owner = await createOwned([], TABLE, ...audit, "GRANT INSERT ON audit TO PUBLIC", old(3));
    const admin = adminOn(owner);
    await query(
      admin,
      "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${String(owner.user)} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`,
    );
    await migrate(owner);
    const program = await otherProgram(admin);
    await query(
      program,
      "INSERT INTO mcp_sessions (session_id) VALUES ('a'), ('b')",
      "UPDATE mcp_sessions SET expires_at = now() - interval '1 hour' WHERE session_id = 'a'",
      "DELETE FROM mcp_sessions WHERE session_id = 'b'",
    );
    await cleanUpAll(owner);
    expect(await query(owner, counted)).toEqual([{ total: 0, is_right: true }]);
  });
});

const refused: Record<string, { before?: string[]; make: string[]; says: RegExp; mend?: string[] }> = {
  "a domain that the keys of sessions do not pass": {
    make: [
      "CREATE DOMAIN uuid_text AS text CONSTRAINT is_uuid CHECK (VALUE ~ '^[0-9a-f-]{36}$')",
      TABLE.replace("session_id text", "session_id uuid_text"),
    ],
    says: /no session can be opened: the check constraint is_uuid of a domain refuses the value \(23514\)/,
    mend: ["ALTER DOMAIN uuid_text DROP CONSTRAINT is_uuid"],
  },
  "an exclusion constraint": {
    make: [
      TABLE,
      "ALTER TABLE mcp_sessions ADD CONSTRAINT one EXCLUDE USING gist (tstzrange(created_at, 'infinity') WITH &&)",
    ],
    says: /the exclusion constraint one of mcp_sessions refuses a second session \(23P01\)/,
    mend: ["ALTER TABLE mcp_sessions DROP CONSTRAINT one"],
  },
  "an index of some rows in which two sessions are equal": {
    make: [
      table("kind text DEFAULT 'mcp'"),
      "CREATE UNIQUE INDEX by_kind ON mcp_sessions (kind) WHERE expires_at IS NOT NULL",
    ],
    says: /the unique constraint by_kind of mcp_sessions refuses a second session \(23505\)/,
    mend: ["DROP INDEX by_kind"],
  },
  "a default that asks for a setting": {
    make: [table("tenant text NOT NULL DEFAULT current_setting('app.tenant')")],
    says: /no session can be opened: a default, a policy or a trigger of mcp_sessions needs a setting that the Worker does not make \(42704\)/,
    mend: [
      "ALTER TABLE mcp_sessions ALTER tenant SET DEFAULT coalesce(current_setting('app.tenant', true), 'mcp')",
    ],
  },
  "policies that ask for a setting": {
    make: [
      table("tenant text"),
      "ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
      "CREATE POLICY tenants ON mcp_sessions USING (tenant = current_setting('app.tenant'))",
    ],
    says: /needs a setting that the Worker does not make \(42704\)/,
    mend: [
      "CREATE POLICY worker ON mcp_sessions TO CURRENT_USER USING (true)",
      "DROP POLICY tenants ON mcp_sessions",
    ],
  },
  "policies that hide the rows of others": {
    make: [
      table("tenant text DEFAULT 'none'"),
      "ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
      "CREATE POLICY mine ON mcp_sessions FOR SELECT USING (tenant = current_user)",
      "CREATE POLICY all_new ON mcp_sessions FOR INSERT WITH CHECK (true)",
    ],
    says: /no session can be opened|cannot be used after it was opened/,
    mend: ["CREATE POLICY worker ON mcp_sessions TO CURRENT_USER USING (true)"],
  },
  "a rule that writes elsewhere, too": {
    make: [
      TABLE,
      "CREATE TABLE log (id text)",
      "CREATE RULE theirs AS ON INSERT TO mcp_sessions DO ALSO INSERT INTO log VALUES (NEW.session_id)",
    ],
    says: /rules \(theirs\) rewrite what is written to it[^]*DROP RULE theirs ON mcp_sessions;/,
  },
  "a trigger that gives each row its own id": {
    make: [
      TABLE,
      `CREATE FUNCTION own_id() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.session_id := gen_random_uuid(); RETURN NEW; END $$`,
      "CREATE TRIGGER own_id BEFORE INSERT ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION own_id()",
    ],
    says: /the row is not found afterwards\. A trigger or a rule swallows or changes it/,
    mend: ["DROP TRIGGER own_id ON mcp_sessions"],
  },
  "a trigger for statements that lets nobody write": {
    make: [
      TABLE,
      `CREATE FUNCTION frozen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'frozen'; END $$`,
      "CREATE TRIGGER frozen BEFORE UPDATE ON mcp_sessions FOR EACH STATEMENT EXECUTE FUNCTION frozen()",
    ],
    says: /a trigger of mcp_sessions raises an error \(P0001\)/,
    mend: ["DROP TRIGGER frozen ON mcp_sessions"],
  },
  "a trigger that needs a table which is not there": {
    make: [
      TABLE,
      `CREATE FUNCTION log_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO missing_log VALUES (1); RETURN NEW; END $$`,
      "CREATE TRIGGER log_row BEFORE INSERT ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION log_row()",
    ],
    says: /a table is missing, one of ours or one that a trigger or a policy uses \(42P01\)/,
    mend: ["CREATE TABLE missing_log (n int)"],
  },
  "replica identity nothing, in a publication of all tables": {
    before: ["CREATE PUBLICATION everything FOR ALL TABLES"],
    make: [TABLE, "ALTER TABLE mcp_sessions REPLICA IDENTITY NOTHING"],
    says: /a publication holds mcp_sessions, which has no replica identity/,
    mend: ["ALTER TABLE mcp_sessions REPLICA IDENTITY DEFAULT"],
  },
  "so many columns that no more fit": {
    make: [table(...Array.from({ length: 1592 }, (_, i) => `c${i} int`))],
    says: /tables can have at most 1600 columns \(54011\)/,
    mend: Array.from({ length: 12 }, (_, i) => `ALTER TABLE mcp_sessions DROP c${i}`).concat(
      // The places of dropped columns are not used again.
      "CREATE TABLE copied (LIKE mcp_sessions INCLUDING ALL)",
      "DROP TABLE mcp_sessions",
      "ALTER TABLE copied RENAME TO mcp_sessions",
    ),
  },
  "an event trigger that lets nobody change tables": {
    before: [
      `CREATE FUNCTION closed() RETURNS event_trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF to_regclass('public.ticket') IS NULL AND to_regclass('public.mcp_sessions') IS NOT NULL
         THEN RAISE EXCEPTION 'changes need a ticket'; END IF;
       END $$`,
      "CREATE EVENT TRIGGER closed ON ddl_command_start WHEN TAG IN ('ALTER TABLE', 'CREATE FUNCTION') EXECUTE FUNCTION closed()",
    ],
    make: [TABLE],
    says: /changes need a ticket \(P0001\)/,
    mend: ["CREATE TABLE ticket ()"],
  },
  "routines and a trigger of our names": {
    make: [
      TABLE,
      "CREATE FUNCTION mcp_open_session(id text) RETURNS text LANGUAGE sql AS 'SELECT id'",
      "CREATE FUNCTION mcp_session_handle(id text) RETURNS text LANGUAGE sql AS 'SELECT id'",
      "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
      "CREATE TRIGGER mcp_count_inserted AFTER INSERT ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION theirs()",
    ],
    says: /the existing routine mcp_open_session cannot be adopted:[^]*ALTER ROUTINE mcp_open_session\(text\) RENAME TO other_mcp_open_session;[^]*ALTER TRIGGER mcp_count_inserted ON mcp_sessions RENAME TO other_mcp_count_inserted;/,
  },
  "a type by the name of a table of ours": {
    make: [TABLE, "CREATE TYPE mcp_cleanup_runs AS ENUM ('a')"],
    says: /type "mcp_cleanup_runs" already exists \(42710\)/,
    mend: ["DROP TYPE mcp_cleanup_runs"],
  },
};

describe.concurrent("refused is a table with", () => {
  test.each(Object.entries(refused))("%s", async (_, { before = [], make, says, mend }) => {
    const owner = await createOwned(before, ...make);
    const admin = adminOn(owner);
    const look = async () => [await schemaOf(admin), await rowsOf(admin)];
    const was = await look();
    const refusal = await migrate(owner).then(
      () => "adopted",
      (error: unknown) => reasonOf(error),
    );
    expect(refusal).toMatch(says);
    expect(await look()).toEqual(was);
    if (mend !== undefined) await query(owner, ...mend);
    await adoptByStatements(owner);
    await liveAndEnd(owner);
    await cleanUpAll(owner);
  });

  test("a schema in which the role may make nothing", async () => {
    const owner = await createOwned([], TABLE);
    const admin = adminOn(owner);
    await query(
      admin,
      "ALTER SCHEMA public OWNER TO CURRENT_USER",
      `REVOKE CREATE ON SCHEMA public FROM PUBLIC, ${String(owner.user)}`,
    );
    const was = await schemaOf(admin);
    await expect(migrate(owner)).rejects.toThrow("permission denied for schema public");
    expect(await schemaOf(admin)).toEqual(was);
    await query(admin, `GRANT CREATE ON SCHEMA public TO ${String(owner.user)}`);
    await migrate(owner);
    await liveAndEnd(owner);
  });

  test("partitions, of which one has the name", async () => {
    const config = await createDatabase(
      `CREATE TABLE all_sessions (${COLUMNS.replace("PRIMARY KEY", "")}, kind text) PARTITION BY LIST (kind)`,
      "CREATE TABLE mcp_sessions PARTITION OF all_sessions FOR VALUES IN ('mcp')",
      "CREATE TABLE others PARTITION OF all_sessions DEFAULT",
    );
    expect(await refusalOf(config)).toContain("ALTER TABLE all_sessions DETACH PARTITION mcp_sessions;");
  });

  test("what --plan refuses, too", async () => {
    const owner = await createOwned(
      [],
      TABLE,
      "CREATE FUNCTION mcp_open_session() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    );
    await expect(driftOf(owner)).rejects.toThrow(
      "ALTER ROUTINE mcp_open_session() RENAME TO other_mcp_open_session;",
    );
  });
});
