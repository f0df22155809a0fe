// Whatever an owner or another program brings to the table: the trial of a session's life names the step that it stops.
import type { ClientConfig } from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { isolationRefusal } from "../../drizzle/isolation.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { tryLife } from "../../drizzle/trial.ts";
import { connected } from "../support/postgres.ts";
import { createDatabase, createDatabaseFrom, query, valueOf } from "./databases.ts";

let migrated: string;
beforeAll(async () => {
  const config = await createDatabase();
  await migrate(config);
  migrated = String(config.database);
});

const copy = (...statements: string[]) => createDatabaseFrom(migrated, ...statements);

/** A role with the rights that the Worker needs, on a database after `statements`. */
async function workerOf(admin: ClientConfig, ...statements: string[]): Promise<ClientConfig> {
  const user = `worker_${String(admin.database)}`;
  await query(
    admin,
    `CREATE ROLE ${user} LOGIN PASSWORD 'p'`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${user}`,
    ...statements.map((statement) => statement.replaceAll("WORKER", user)),
  );
  return { ...admin, user, password: "p" };
}

const life = async (config: ClientConfig, isWhole = true) => {
  const [row] = await query(config, `SELECT * FROM mcp_try_session(${isWhole})`);
  return row;
};
const failure = (
  step: string,
  code: string,
  names: { column?: string; constraint?: string; table?: string },
) => ({
  step,
  code,
  column_name: names.column ?? null,
  constraint_name: names.constraint ?? null,
  table_name: names.table ?? null,
});
const success = { step: null, code: null, column_name: null, constraint_name: null, table_name: null };

/** A trigger with this body before each row, in the events. */
const trigger = (events: string, body: string, table = "mcp_sessions") => [
  `CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN ${body}; RETURN coalesce(NEW, OLD); END $t$`,
  `CREATE TRIGGER theirs BEFORE ${events} ON ${table} FOR EACH ROW EXECUTE FUNCTION theirs()`,
];
const raise = "RAISE EXCEPTION 'theirs'";

type Case = [
  name: string,
  statements: string[],
  step: string,
  code: string,
  names?: Parameters<typeof failure>[2],
];

const sessions = { table: "mcp_sessions" };

// Nobody can open a session.
const stopsOpening: Case[] = [
  [
    "a column that must be given, added after the migration",
    ["ALTER TABLE mcp_sessions ADD COLUMN tenant_id text NOT NULL"],
    "open",
    "23502",
    { ...sessions, column: "tenant_id" },
  ],
  ["a key that was dropped", ["ALTER TABLE mcp_sessions DROP CONSTRAINT mcp_sessions_pkey"], "open", "42P10"],
  [
    "a key that is deferrable",
    [
      "ALTER TABLE mcp_sessions DROP CONSTRAINT mcp_sessions_pkey",
      "ALTER TABLE mcp_sessions ADD PRIMARY KEY (session_id) DEFERRABLE",
    ],
    "open",
    "55000",
    { ...sessions, constraint: "mcp_sessions_pkey" },
  ],
  [
    "a check constraint",
    ["ALTER TABLE mcp_sessions ADD CONSTRAINT short_id CHECK (length(session_id) < 40)"],
    "open",
    "23514",
    { ...sessions, constraint: "short_id" },
  ],
  [
    "a foreign key to users",
    [
      "CREATE TABLE users (name text PRIMARY KEY)",
      "ALTER TABLE mcp_sessions ADD CONSTRAINT of_user FOREIGN KEY (principal) REFERENCES users",
    ],
    "open",
    "23503",
    { ...sessions, constraint: "of_user" },
  ],
  [
    "a foreign key that is checked at the end",
    [
      "CREATE TABLE users (name text PRIMARY KEY)",
      "ALTER TABLE mcp_sessions ADD CONSTRAINT of_user FOREIGN KEY (principal) REFERENCES users DEFERRABLE INITIALLY DEFERRED",
    ],
    "open",
    "23503",
    { ...sessions, constraint: "of_user" },
  ],
  [
    "a column of another type",
    ["ALTER TABLE mcp_sessions ALTER principal TYPE uuid USING NULL"],
    "open",
    "42804",
  ],
  [
    "a column that is too short",
    ["ALTER TABLE mcp_sessions ALTER session_id TYPE varchar(36)"],
    "open",
    "22001",
  ],
  ["a column that is gone", ["ALTER TABLE mcp_sessions DROP COLUMN client_info"], "open", "42703"],
  [
    "a column that the database generates",
    [
      "ALTER TABLE mcp_sessions DROP COLUMN protocol_version",
      "ALTER TABLE mcp_sessions ADD COLUMN protocol_version text GENERATED ALWAYS AS ('1') STORED",
    ],
    "open",
    "428C9",
  ],
  ["a trigger that raises on insert", trigger("INSERT", raise), "open", "P0001"],
  ["a trigger whose assertion fails", trigger("INSERT", "ASSERT false"), "open", "P0004"],
  [
    "a trigger of the statement",
    [
      `CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN ${raise}; END $t$`,
      "CREATE TRIGGER theirs AFTER INSERT ON mcp_sessions EXECUTE FUNCTION theirs()",
    ],
    "open",
    "P0001",
  ],
  [
    "a trigger that runs at the end of the transaction",
    [
      `CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN ${raise}; END $t$`,
      `CREATE CONSTRAINT TRIGGER theirs AFTER INSERT ON mcp_sessions DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION theirs()`,
    ],
    "open",
    "P0001",
  ],
  ["a trigger that swallows inserts", trigger("INSERT", "RETURN NULL"), "resume", "hidden", sessions],
  [
    "a trigger that changes keys",
    trigger("INSERT", "NEW.session_id := upper(NEW.session_id)"),
    "resume",
    "hidden",
    sessions,
  ],
  [
    "a trigger that changes owners",
    trigger("INSERT", "NEW.principal := session_user"),
    "resume",
    "hidden",
    sessions,
  ],
  [
    "a trigger that sets times back",
    trigger("INSERT", "NEW.expires_at := '2020-01-01'"),
    "resume",
    "hidden",
    sessions,
  ],
  [
    "a trigger that takes times away",
    trigger("INSERT", "NEW.created_at := NULL"),
    "resume",
    "hidden",
    sessions,
  ],
  [
    "a trigger that changes what was opened",
    trigger("INSERT", "NEW.capabilities := '[]'"),
    "resume",
    "ignored",
    { ...sessions, column: "capabilities" },
  ],
  [
    "a rule that swallows inserts",
    ["CREATE RULE theirs AS ON INSERT TO mcp_sessions DO INSTEAD NOTHING"],
    "resume",
    "hidden",
    sessions,
  ],
  [
    "a rule that swallows updates",
    ["CREATE RULE theirs AS ON UPDATE TO mcp_sessions DO INSTEAD NOTHING"],
    "open",
    "0A000",
  ],
  ["a routine that is gone", ["DROP FUNCTION mcp_open_session"], "open", "42883"],
  ["totals that cannot be written", trigger("INSERT", raise, "mcp_session_totals"), "open", "P0001"],
  [
    "a publication without a replica identity",
    ["ALTER TABLE mcp_sessions REPLICA IDENTITY NOTHING", "CREATE PUBLICATION theirs FOR TABLE mcp_sessions"],
    "open",
    "55000",
  ],
];

// A session can be opened, and something else fails.
const stopsLater: Case[] = [
  [
    "a unique constraint on another column",
    ["ALTER TABLE mcp_sessions ADD CONSTRAINT one_each UNIQUE (principal)"],
    "open",
    "23505",
    { ...sessions, constraint: "one_each" },
  ],
  [
    "a unique index on a part of a column",
    ["CREATE UNIQUE INDEX one_each ON mcp_sessions ((client_info ->> 'name'))"],
    "open",
    "23505",
    { ...sessions, constraint: "one_each" },
  ],
  [
    "an exclusion constraint",
    ["ALTER TABLE mcp_sessions ADD CONSTRAINT one_at_a_time EXCLUDE (principal WITH =)"],
    "open",
    "23P01",
    { ...sessions, constraint: "one_at_a_time" },
  ],
  ["a trigger that raises on update", trigger("UPDATE", raise), "resume", "P0001"],
  [
    "a trigger that swallows updates",
    trigger("UPDATE", "RETURN NULL"),
    "resume",
    "ignored",
    { ...sessions, column: "expires_at" },
  ],
  ["a document of another type", ["ALTER TABLE mcp_sessions ALTER state TYPE text"], "write_state", "42883"],
  [
    "versions that the database generates",
    [
      "ALTER TABLE mcp_sessions DROP COLUMN state_version",
      "ALTER TABLE mcp_sessions ADD COLUMN state_version bigint GENERATED ALWAYS AS IDENTITY",
    ],
    "write_state",
    "428C9",
  ],
  [
    "an index of whole documents",
    ["CREATE INDEX whole ON mcp_sessions (state)"],
    "write_state",
    "54000",
    { ...sessions, constraint: "whole" },
  ],
  [
    "a trigger that empties documents",
    trigger("UPDATE", "NEW.state := '{}'"),
    "write_state",
    "ignored",
    { ...sessions, column: "state" },
  ],
  [
    "a trigger that keeps log levels",
    trigger("UPDATE", "NEW.log_level := OLD.log_level"),
    "set_log_level",
    "ignored",
    { ...sessions, column: "log_level" },
  ],
  [
    "a check on the log level",
    ["ALTER TABLE mcp_sessions ADD CONSTRAINT loud CHECK (log_level = 'error')"],
    "set_log_level",
    "23514",
    { ...sessions, constraint: "loud" },
  ],
  [
    "a check that takes some log levels only",
    [
      "ALTER TABLE mcp_sessions ADD CONSTRAINT pythons CHECK (log_level IN ('debug', 'info', 'warning', 'error', 'critical'))",
    ],
    "set_log_level",
    "23514",
    { ...sessions, constraint: "pythons" },
  ],
  [
    "a check that sessions end later than they begin, in whole seconds",
    [
      "ALTER TABLE mcp_sessions ALTER created_at TYPE timestamptz(0), ALTER last_active TYPE timestamptz(0), ALTER expires_at TYPE timestamptz(0)",
      "ALTER TABLE mcp_sessions ADD CONSTRAINT later CHECK (expires_at > created_at)",
    ],
    "end",
    "23514",
    { ...sessions, constraint: "later" },
  ],
  [
    "a check that takes some reasons of an end only",
    ["ALTER TABLE mcp_sessions ADD CONSTRAINT reasons CHECK (end_reason IN ('client', 'timeout'))"],
    "end",
    "23514",
    { ...sessions, constraint: "reasons" },
  ],
  [
    "a trigger that raises when a session is ended",
    trigger("UPDATE", `IF NEW.ended_at IS NOT NULL THEN ${raise}; END IF`),
    "end",
    "P0001",
  ],
  [
    "a trigger that revives sessions",
    trigger("UPDATE", "NEW.ended_at := NULL"),
    "end",
    "ignored",
    { ...sessions, column: "ended_at" },
  ],
  [
    "a trigger that refuses records of runs",
    trigger("INSERT", raise, "mcp_cleanup_runs"),
    "record_run",
    "P0001",
  ],
  [
    "a trigger that keeps records of runs",
    trigger("DELETE", "RETURN NULL", "mcp_cleanup_runs"),
    "record_run",
    "kept",
    { table: "mcp_cleanup_runs" },
  ],
  [
    "a trigger that swallows records of runs",
    trigger("INSERT", "RETURN NULL", "mcp_cleanup_runs"),
    "record_run",
    "hidden",
    { table: "mcp_cleanup_runs" },
  ],
  ["a trigger that raises on delete", trigger("DELETE", raise), "delete", "P0001"],
  ["a trigger that swallows deletes", trigger("DELETE", "RETURN NULL"), "delete", "kept", sessions],
  [
    "a trigger that marks instead of deleting",
    [
      "ALTER TABLE mcp_sessions ADD COLUMN is_deleted boolean DEFAULT false",
      ...trigger(
        "DELETE",
        "UPDATE mcp_sessions SET is_deleted = true WHERE session_id = OLD.session_id; RETURN NULL",
      ),
    ],
    "delete",
    "kept",
    sessions,
  ],
  [
    "a rule that swallows deletes",
    ["CREATE RULE theirs AS ON DELETE TO mcp_sessions DO INSTEAD NOTHING"],
    "delete",
    "kept",
    sessions,
  ],
  [
    "rows of another table that refer to each session",
    [
      "CREATE TABLE calls (session_id text CONSTRAINT of_session REFERENCES mcp_sessions)",
      "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN INSERT INTO calls VALUES (NEW.session_id); RETURN NULL; END $t$",
      "CREATE TRIGGER theirs AFTER INSERT ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION theirs()",
    ],
    "delete",
    "23503",
    { table: "calls", constraint: "of_session" },
  ],
  [
    "a view in place of the table",
    ["ALTER TABLE mcp_sessions RENAME TO sessions", "CREATE VIEW mcp_sessions AS SELECT * FROM sessions"],
    "delete",
    "42703",
  ],
  [
    "a publication of inserts and deletes without a replica identity",
    [
      "ALTER TABLE mcp_sessions REPLICA IDENTITY NOTHING",
      "CREATE PUBLICATION theirs FOR TABLE mcp_sessions WITH (publish = 'insert, delete')",
    ],
    "delete",
    "55000",
  ],
];

describe("the trial of an opening finds, and so does that of a whole life,", () => {
  test.each(stopsOpening)("%s", async (_name, statements, step, code, names = {}) => {
    const config = await copy(...statements);
    expect(await life(config, false)).toEqual(failure(step, code, names));
    expect(await life(config)).toEqual(failure(step, code, names));
  });
});

describe("the trial of a whole life finds", () => {
  test.each(stopsLater)("%s", async (_name, statements, step, code, names = {}) => {
    const config = await copy(...statements);
    expect(await life(config, false)).toEqual(success);
    expect(await life(config)).toEqual(failure(step, code, names));
  });
});

describe("of what a role may not do it finds", () => {
  test.each([
    ["INSERT ON mcp_sessions", "open"],
    ["SELECT ON mcp_sessions", "open"],
    ["UPDATE ON mcp_sessions", "open"],
    ["DELETE ON mcp_sessions", "delete"],
    ["INSERT ON mcp_session_totals", "open"],
    ["UPDATE ON mcp_session_totals", "open"],
    ["INSERT ON mcp_cleanup_runs", "record_run"],
    ["UPDATE ON mcp_cleanup_runs", "record_run"],
    ["DELETE ON mcp_cleanup_runs", "record_run"],
    ["EXECUTE ON FUNCTION mcp_open_session", "open"],
    ["EXECUTE ON FUNCTION mcp_add_to_total", "open"],
    ["EXECUTE ON FUNCTION mcp_resume_session", "resume"],
    ["EXECUTE ON FUNCTION mcp_merge_session_changes", "record_run"],
  ])("%s", async (right, step) => {
    const config = await workerOf(await copy(), `REVOKE ${right} FROM WORKER, PUBLIC`);
    expect(await life(config)).toMatchObject({ step, code: "42501" });
  });

  test.each([
    ["no policy at all", [], "open", "42501"],
    [
      "a policy of what may be inserted",
      ["CREATE POLICY p ON mcp_sessions USING (true) WITH CHECK (principal = 'alice')"],
      "open",
      "42501",
    ],
    [
      "a policy of what may be updated",
      [
        "CREATE POLICY p ON mcp_sessions FOR SELECT USING (true)",
        "CREATE POLICY q ON mcp_sessions FOR INSERT WITH CHECK (true)",
      ],
      "resume",
      "ignored",
    ],
    [
      "a policy of what may be deleted",
      [
        "CREATE POLICY p ON mcp_sessions USING (true)",
        "CREATE POLICY q ON mcp_sessions AS RESTRICTIVE FOR DELETE USING (false)",
      ],
      "delete",
      "kept",
    ],
  ])("%s", async (_name, policies, step, code) => {
    const config = await workerOf(
      await copy("ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY", ...policies),
    );
    expect(await life(config)).toMatchObject({ step, code });
  });

  test("a role that is read-only", async () => {
    const config = await workerOf(await copy(), "ALTER ROLE WORKER SET default_transaction_read_only = on");
    expect(await life(config, false)).toEqual(failure("open", "25006", {}));
  });
});

describe("sessions can live in a table", () => {
  test.each([
    ["that is as the migration makes it", []],
    [
      "with columns of other types that hold the same",
      [
        "ALTER TABLE mcp_sessions ALTER session_id TYPE varchar(64), ALTER principal TYPE varchar(512), ALTER log_level TYPE varchar",
        "ALTER TABLE mcp_sessions ALTER client_info TYPE json, ALTER capabilities TYPE json",
      ],
    ],
    [
      "with columns named like the variables of the trial",
      [
        "ALTER TABLE mcp_sessions ADD code text, ADD owner text, ADD document text, ADD keys text, ADD table_name text, ADD protocol text",
      ],
    ],
    [
      "with a column that has a sequence, and one that is generated",
      [
        "ALTER TABLE mcp_sessions ADD id serial, ADD number bigint GENERATED ALWAYS AS IDENTITY, ADD name text GENERATED ALWAYS AS (principal) STORED",
      ],
    ],
    [
      "with a trigger that keeps a time of its own",
      [
        "ALTER TABLE mcp_sessions ADD updated_at timestamptz",
        ...trigger("INSERT OR UPDATE", "NEW.updated_at := now()"),
      ],
    ],
    [
      "with a trigger that skips updates that change nothing",
      [
        "CREATE TRIGGER theirs BEFORE UPDATE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
      ],
    ],
    [
      "with rows of another table that go with each session",
      [
        "CREATE TABLE calls (session_id text REFERENCES mcp_sessions ON DELETE CASCADE)",
        "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN INSERT INTO calls VALUES (NEW.session_id); RETURN NULL; END $t$",
        "CREATE TRIGGER theirs AFTER INSERT ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION theirs()",
      ],
    ],
    [
      "with a rule that logs deletions",
      [
        "CREATE TABLE log (session_id text)",
        "CREATE RULE theirs AS ON DELETE TO mcp_sessions DO ALSO INSERT INTO log VALUES (OLD.session_id)",
      ],
    ],
    [
      "whose sessions must end later than they begin",
      ["ALTER TABLE mcp_sessions ADD CHECK (expires_at > created_at), ADD CHECK (ended_at > created_at)"],
    ],
    ["that has a child", ["CREATE TABLE archive () INHERITS (mcp_sessions)"]],
    ["that is published", ["CREATE PUBLICATION theirs FOR TABLE mcp_sessions"]],
  ])("%s", async (_name, statements) => {
    expect(await life(await copy(...statements))).toEqual(success);
  });

  test("for a role that has the rights of the Worker, and a policy that lets everything through", async () => {
    const config = await workerOf(
      await copy(
        "ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY p ON mcp_sessions USING (true)",
      ),
    );
    expect(await life(config)).toEqual(success);
  });
});

const everything = `
  SELECT (SELECT count(*) FROM mcp_sessions)::int AS sessions, (SELECT count(*) FROM mcp_cleanup_runs)::int AS runs,
         (SELECT jsonb_agg(t ORDER BY t.name, t.shard) FROM mcp_session_totals t) AS totals,
         (SELECT sum(change) FROM mcp_session_changes)::int AS changes,
         (SELECT last_value FROM pg_sequences WHERE sequencename = 'mcp_cleanup_runs_run_id_seq') AS run_id`;

test("a trial leaves nothing behind, whether it succeeds or fails", async () => {
  const config = await copy("INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('theirs', now())");
  const before = await query(config, everything);
  await life(config);
  await life(config, false);
  await query(config, ...trigger("DELETE", raise));
  expect(await life(config)).toMatchObject({ step: "delete" });
  expect(await query(config, everything)).toEqual(before);
});

test("trials at the same time do not wait for each other, and none fails", async () => {
  const config = await copy();
  const trials = await Promise.all(Array.from({ length: 20 }, (_, i) => life(config, i % 2 === 0)));
  expect(trials).toEqual(trials.map(() => success));
});

test("the transaction around a trial goes on, with its own constraints as deferred as before", async () => {
  const config = await copy(
    "CREATE TABLE users (name text PRIMARY KEY)",
    "CREATE TABLE calls (name text REFERENCES users DEFERRABLE INITIALLY DEFERRED)",
  );
  await connected(config, async (client) => {
    await client.query("BEGIN");
    await client.query("CREATE TABLE made (id int)");
    expect(await tryLife(client)).toBeUndefined();
    await client.query("INSERT INTO calls VALUES ('later')");
    await client.query("INSERT INTO users VALUES ('later')");
    await client.query("COMMIT");
  });
  expect(await valueOf(config, "SELECT to_regclass('made') IS NOT NULL")).toBe(true);
});

test("a canceled trial is canceled, and no answer", async () => {
  const config = await copy(...trigger("INSERT", "PERFORM pg_sleep(60)"));
  await expect(
    query(config, "SET statement_timeout = 100", "SELECT * FROM mcp_try_session()"),
  ).rejects.toMatchObject({ code: "57014" });
});

test.each([
  [
    ["ALTER TABLE mcp_sessions ADD COLUMN tenant_id text NOT NULL"],
    "no session can be opened: column tenant_id of mcp_sessions must be given, and the sessions of /mcp leave it out (23502)",
  ],
  [
    trigger("DELETE", "RETURN NULL"),
    "an expired session cannot be deleted: the row stays in mcp_sessions although its deletion succeeds. A trigger, a rule or a policy keeps it (kept)",
  ],
  [
    trigger("INSERT", "RAISE EXCEPTION 'theirs' USING ERRCODE = 'XX123'", "mcp_cleanup_runs"),
    "a cleanup run cannot be recorded: PostgreSQL reports an error (XX123)",
  ],
])("tryLife() says in one sentence what fails: %s", async (statements, sentence) => {
  const config = await copy(...statements);
  expect(await connected(config, tryLife)).toContain(`${sentence}\n  To do: `);
});

test.each([
  ["repeatable read", true],
  ["serializable", true],
  ["read committed", false],
  ["read uncommitted", false],
])("a role whose transactions are %s by default is refused: %s", async (level, isRefused) => {
  const worker = await workerOf(
    await copy(),
    `ALTER ROLE WORKER SET default_transaction_isolation = '${level}'`,
  );
  const remedy = `ALTER ROLE ${String(worker.user)} IN DATABASE ${String(worker.database)} SET default_transaction_isolation = 'read committed';`;
  expect(await connected(worker, isolationRefusal)).toBe(
    isRefused
      ? `transactions of this role are ${level} by default, and sessions need read committed. Run: ${remedy}`
      : undefined,
  );
  // The role may run it by itself.
  await query(worker, remedy);
  expect(await connected(worker, isolationRefusal)).toBeUndefined();
});

test("a transaction that has taken longer than a new session lives is no reason to fail", async () => {
  const config = await copy(
    // A migration that waits for locks, or rewrites a large table, may take minutes.
    "CREATE SCHEMA slow",
    "CREATE FUNCTION slow.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + interval '5 minutes' $$",
  );
  expect(
    await query(config, "SET search_path = slow, pg_catalog, public", "SELECT * FROM mcp_try_session()"),
  ).toEqual([success]);
});

// db:migrate plays it while it keeps everybody else out.
test("a large table that has no index of principals yet is not read through", async () => {
  const config = await copy(
    "DROP INDEX idx_mcp_sessions_by_owner",
    "INSERT INTO mcp_sessions (session_id, expires_at) SELECT i::text, now() + interval '1 day' FROM generate_series(1, 20000) i",
    "ANALYZE mcp_sessions",
  );
  await connected(config, async (client) => {
    const scans = async () => {
      await client.query("SELECT pg_stat_force_next_flush()");
      const { rows } = await client.query<{ scans: string }>(
        "SELECT pg_stat_get_numscans('mcp_sessions'::regclass) AS scans",
      );
      return rows[0]?.scans;
    };
    const before = await scans();
    expect(await tryLife(client)).toBeUndefined();
    expect(await scans()).toBe(before);
  });
});
