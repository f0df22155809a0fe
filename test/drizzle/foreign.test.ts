// What other programs and roles do to the table, its triggers and the database: nothing of theirs fails because of ours, no
// live row is deleted, and the counts stay true or become true again.
import type { ClientConfig } from "pg";
import { describe, expect, test } from "vitest";
import { migrate } from "../../drizzle/migrate.ts";
import { connected } from "../support/postgres.ts";
import { adminOf, applyFormer, cleanUp, counted, createDatabase, query, valueOf } from "./databases.ts";

const plainTable = `CREATE TABLE mcp_sessions (
  session_id TEXT PRIMARY KEY, created_at TIMESTAMPTZ DEFAULT now(), last_active TIMESTAMPTZ DEFAULT now(),
  expires_at TIMESTAMPTZ, capabilities JSONB DEFAULT '{}', client_info JSONB DEFAULT '{}')`;

const expired = (name: string, count: number) =>
  `INSERT INTO mcp_sessions (session_id, expires_at) SELECT '${name}' || i, now() - interval '2 hours' FROM generate_series(1, ${count}) i`;

/** The table of another program, after `statements`, adopted. */
async function adopted(...statements: string[]): Promise<ClientConfig> {
  const config = await createDatabase(plainTable, ...statements);
  await migrate(config);
  return config;
}

/** A role of another program, with rights on mcp_sessions and on nothing else. */
async function programOn(config: ClientConfig): Promise<ClientConfig> {
  const role = `program_${String(config.database)}`;
  await query(
    config,
    `CREATE ROLE ${role} LOGIN PASSWORD 'p'`,
    `GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON mcp_sessions TO ${role}`,
    `GRANT CREATE, USAGE ON SCHEMA public TO ${role}`,
  );
  return { ...adminOf(String(config.database)), user: role, password: "p" };
}

describe("a table with children", () => {
  test("loses its own expired rows, and no row of a child", async () => {
    const config = await adopted("CREATE TABLE mcp_sessions_archive () INHERITS (mcp_sessions)");
    await query(
      config,
      expired("old", 1000),
      "INSERT INTO mcp_sessions_archive (session_id, expires_at) SELECT 'live' || i, now() + interval '2 days' FROM generate_series(1, 1000) i",
      "INSERT INTO mcp_sessions_archive (session_id, expires_at) SELECT 'kept' || i, now() - interval '2 days' FROM generate_series(1, 1000) i",
    );
    expect(await query(config, cleanUp)).toMatchObject([{ outcome: "completed", deleted: "1000" }]);
    expect(await valueOf(config, "SELECT count(*)::int FROM mcp_sessions_archive")).toBe(2000);
    expect(await valueOf(config, "SELECT total::int FROM mcp_count_sessions(0)")).toBe(0);
  });

  test.each([
    ["ranges", "i"],
    ["pages", "(i * 4099) % 6000"],
  ])("loses no row of a child in bulk by %s", async (_form, position) => {
    const config = await adopted("CREATE TABLE mcp_sessions_archive () INHERITS (mcp_sessions)");
    const rows = (table: string, expiry: string) =>
      `INSERT INTO ${table} (session_id, client_info, expires_at)
       SELECT '${table}' || i, jsonb_build_object('padding', repeat('x', 1400)), ${expiry} FROM generate_series(1, 6000) i`;
    await query(
      config,
      rows("mcp_sessions", `now() - interval '1 day' - (${position}) * interval '5 seconds'`),
      rows("mcp_sessions_archive", "now() + interval '2 days'"),
      rows("mcp_sessions_archive", "now() - interval '2 days'"),
    );
    expect(await query(config, cleanUp)).toMatchObject([{ outcome: "completed", deleted: "6000" }]);
    expect(await valueOf(config, "SELECT count(*)::int FROM mcp_sessions_archive")).toBe(12_000);
  });
});

describe("a publication", () => {
  test.each([
    ["of all tables", "CREATE PUBLICATION everything FOR ALL TABLES"],
    ["of the schema", "CREATE PUBLICATION everything FOR TABLES IN SCHEMA public"],
    [
      "of the bookkeeping",
      "CREATE PUBLICATION everything FOR TABLE mcp_session_changes, mcp_cleanup_runs, mcp_session_totals, mcp_cleanup_blocked",
    ],
  ])("%s stops no cleanup and no insert", async (_name, publication) => {
    const config = await adopted();
    await query(config, expired("x", 3), publication);
    const failed = await valueOf(
      config,
      `DO $$ BEGIN
         FOR i IN 1..5000 LOOP INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('py' || i, now() + interval '1 hour'); END LOOP;
       END $$`,
    ).catch((error: unknown) => error);
    expect(failed).toBeUndefined();
    expect(await query(config, cleanUp)).toMatchObject([{ outcome: "completed", deleted: "3" }]);
    expect(await query(config, counted)).toEqual([{ total: 5000, is_right: true }]);
  });

  test("that was there before keeps no table from being adopted, and no former state from being migrated", async () => {
    const publication = "CREATE PUBLICATION everything FOR ALL TABLES";
    const fresh = await createDatabase(plainTable, publication);
    await migrate(fresh);
    const former = await createDatabase();
    await applyFormer(former, 11);
    await query(former, expired("old", 5), publication);
    await migrate(former);
    for (const config of [fresh, former]) {
      await query(config, expired("x", 3));
      expect(await query(config, cleanUp)).toMatchObject([{ outcome: "completed" }]);
      expect(await query(config, counted)).toEqual([{ total: 0, is_right: true }]);
    }
  });

  test("of a table without a key makes a run fail, with its record", async () => {
    const config = await adopted(
      "ALTER TABLE mcp_sessions DROP CONSTRAINT mcp_sessions_pkey, ADD UNIQUE (session_id)",
    );
    await query(config, expired("x", 3), "CREATE PUBLICATION everything FOR ALL TABLES");
    expect(await query(config, cleanUp)).toMatchObject([
      { outcome: "failed", error_code: "55000", deleted: "0" },
    ]);
  });

  test("every table of ours has a primary key", async () => {
    const config = await adopted();
    const keyless = `SELECT jsonb_agg(relname) FROM pg_class c
      WHERE relkind = 'r' AND relname LIKE 'mcp\\_%'
        AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)`;
    expect(await valueOf(config, keyless)).toBeNull();
  });
});

describe("the number of sessions", () => {
  test.each([
    ["inserted", [expired("r", 7)], 7],
    ["deleted", ["DELETE FROM mcp_sessions"], 0],
    ["exchanged", ["DELETE FROM mcp_sessions", expired("other", 2)], 2],
  ])(
    "of rows %s past the triggers is never negative, and right after the next run",
    async (_name, statements, left) => {
      const config = await adopted();
      await query(
        config,
        "INSERT INTO mcp_sessions (session_id) SELECT 's' || i FROM generate_series(1, 5) i",
      );
      await query(config, "SET session_replication_role = replica", ...statements);
      const isSane = "SELECT total >= 0 AND expired >= 0 AND total >= expired FROM mcp_count_sessions(0)";
      expect(await valueOf(config, isSane)).toBe(true);
      await query(config, cleanUp);
      expect(await query(config, counted)).toMatchObject([{ is_right: true }]);
      expect(await valueOf(config, "SELECT count(*)::int FROM mcp_sessions")).toBeLessThanOrEqual(5 + left);
    },
  );

  test("of a large table is counted again when PostgreSQL's estimate differs by a tenth", async () => {
    const config = await adopted();
    await query(
      config,
      `INSERT INTO mcp_sessions (session_id, client_info) SELECT 's' || i, jsonb_build_object('padding', repeat('x', 1800))
         FROM generate_series(1, 9000) i`,
      "ANALYZE mcp_sessions",
      "SET session_replication_role = replica",
      "DELETE FROM mcp_sessions WHERE session_id LIKE '%7'",
      "VACUUM ANALYZE mcp_sessions",
    );
    expect(await query(config, counted)).toEqual([{ total: 9000, is_right: false }]);
    await query(config, cleanUp);
    expect(await query(config, counted)).toEqual([{ total: 8100, is_right: true }]);
  });

  const forgeries: [string, string[]][] = [
    [
      "a trigger of its own that calls our function",
      [
        "CREATE TABLE other (id int)",
        `CREATE TRIGGER forge AFTER INSERT ON other REFERENCING NEW TABLE AS inserted
           FOR EACH STATEMENT EXECUTE FUNCTION mcp_count_session_rows()`,
        "INSERT INTO other SELECT generate_series(1, 1000)",
      ],
    ],
    [
      "a trigger for TRUNCATE that calls our function",
      [
        "CREATE TABLE other (id int)",
        "CREATE TRIGGER forge AFTER TRUNCATE ON other EXECUTE FUNCTION mcp_count_session_rows()",
        "TRUNCATE other",
      ],
    ],
    [
      "settings by our names",
      [
        "SET mcp_sessions.deletes_counted = '1000000'",
        "SET mcp_sessions.delete_depth = '3'",
        "DELETE FROM mcp_sessions WHERE session_id = 's1'",
      ],
    ],
    ["a write to the table", ["INSERT INTO mcp_session_changes (transaction_id, change) VALUES (1, 1000)"]],
    ["a call of the recount", ["SELECT mcp_recount_sessions()"]],
    [
      "a table by our name before ours in its search_path",
      [
        "CREATE TEMP TABLE mcp_session_changes (transaction_id bigint PRIMARY KEY, change bigint, deletes_before bigint, delete_depth int)",
        "DELETE FROM mcp_sessions WHERE session_id = 's1'",
      ],
    ],
    [
      "a temporary table by the name of the table",
      ["CREATE TEMP TABLE mcp_sessions (session_id text)", "SELECT mcp_recount_sessions()"],
    ],
  ];
  test.each(forgeries)("cannot be changed by %s", async (_name, statements) => {
    const config = await adopted();
    await query(config, "INSERT INTO mcp_sessions (session_id) SELECT 's' || i FROM generate_series(1, 5) i");
    const program = await programOn(config);
    await connected(program, async (client) => {
      for (const statement of statements) await client.query(statement).catch(() => undefined);
    });
    expect(await query(config, counted)).toMatchObject([{ is_right: true }]);
  });

  test("is counted by a function that no other role may make a trigger of", async () => {
    const config = await adopted();
    const program = await programOn(config);
    await query(program, "CREATE TABLE other (id int)");
    const forge = "CREATE TRIGGER forge AFTER TRUNCATE ON other EXECUTE FUNCTION mcp_count_session_rows()";
    await expect(query(program, forge)).rejects.toThrow(
      "permission denied for function mcp_count_session_rows",
    );
  });

  test("counts the rows of no other table, whoever makes a trigger for it", async () => {
    const config = await adopted();
    await query(
      config,
      "INSERT INTO mcp_sessions (session_id) SELECT 's' || i FROM generate_series(1, 5) i",
      "CREATE TABLE other (id int)",
      `CREATE TRIGGER forge AFTER INSERT ON other REFERENCING NEW TABLE AS inserted
         FOR EACH STATEMENT EXECUTE FUNCTION mcp_count_session_rows()`,
      "INSERT INTO other SELECT generate_series(1, 1000)",
    );
    expect(await query(config, counted)).toEqual([{ total: 5, is_right: true }]);
  });

  test("counts through savepoints, cascades and many statements of one transaction", async () => {
    const config = await adopted("CREATE TABLE owners (id text PRIMARY KEY)");
    await query(
      config,
      "ALTER TABLE mcp_sessions ADD COLUMN owner text REFERENCES owners ON DELETE CASCADE",
      "INSERT INTO owners SELECT i::text FROM generate_series(1, 4) i",
      "INSERT INTO mcp_sessions (session_id, owner) SELECT i::text, (i % 4 + 1)::text FROM generate_series(1, 40) i",
      "BEGIN",
      "DELETE FROM mcp_sessions WHERE session_id = '1'",
      "SAVEPOINT a",
      "DELETE FROM mcp_sessions WHERE session_id <= '3'",
      "ROLLBACK TO a",
      "DELETE FROM owners WHERE id = '2'",
      "SAVEPOINT b",
      "DELETE FROM owners WHERE id = '3'",
      "ROLLBACK TO b",
      "INSERT INTO mcp_sessions (session_id) VALUES ('more')",
      "DELETE FROM owners WHERE id = '4'",
      "COMMIT",
    );
    expect(await query(config, counted)).toMatchObject([{ is_right: true }]);
  });
});

describe("statements of another program", () => {
  const statements = [
    "INSERT INTO mcp_sessions (session_id) SELECT 'p' || i FROM generate_series(1, 2000) i",
    "UPDATE mcp_sessions SET expires_at = now()",
    "DELETE FROM mcp_sessions WHERE session_id = 'p1'",
    "TRUNCATE mcp_sessions",
  ];
  test.each([
    [
      "no function may be executed",
      ["REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA public FROM PUBLIC, postgres"],
    ],
    [
      "every function but the trigger's is gone",
      ["DROP FUNCTION mcp_merge_session_changes, mcp_add_to_total, mcp_recount_sessions"],
    ],
    ["the table of changes is gone", ["DROP TABLE mcp_session_changes"]],
    ["the table of changes has another shape", ["ALTER TABLE mcp_session_changes DROP COLUMN change"]],
    [
      "the changes may not be published",
      [
        "ALTER TABLE mcp_session_changes REPLICA IDENTITY NOTHING",
        "CREATE PUBLICATION everything FOR ALL TABLES",
      ],
    ],
    [
      "a trigger stands on the changes",
      [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON mcp_session_changes FOR EACH ROW EXECUTE FUNCTION refuse()",
      ],
    ],
    [
      "its isolation is serializable",
      ["ALTER DATABASE % SET default_transaction_isolation = 'serializable'"],
    ],
  ])("go on when %s", async (_name, changes) => {
    const config = await adopted();
    const program = await programOn(config);
    await query(config, ...changes.map((change) => change.replace("%", String(config.database))));
    for (const statement of statements) await query(program, statement);
    expect(await valueOf(config, "SELECT count(*)::int FROM mcp_sessions")).toBe(0);
  });

  test("that are serializable, insert at the same time, and read nothing, do not fail", async () => {
    const config = await adopted();
    const program = await programOn(config);
    const writers = Array.from({ length: 6 }, (_, writer) =>
      connected(program, async (client) => {
        await client.query("SET default_transaction_isolation = serializable");
        for (let i = 0; i < 200; i++) {
          await client.query("INSERT INTO mcp_sessions (session_id) VALUES ($1)", [`w${writer}-${i}`]);
        }
      }),
    );
    await Promise.all(writers);
    expect(await query(config, counted)).toEqual([{ total: 1200, is_right: true }]);
  });

  test("never wait for or deadlock with each other because of the counts", async () => {
    const config = await adopted();
    const program = await programOn(config);
    await query(
      config,
      "INSERT INTO mcp_sessions (session_id) SELECT 's' || i FROM generate_series(1, 400) i",
    );
    // Each writes other rows, in opposite orders, and stays open.
    const writers = Array.from({ length: 8 }, (_, writer) =>
      connected(program, async (client) => {
        for (let round = 0; round < 20; round++) {
          await client.query("BEGIN");
          await client.query("INSERT INTO mcp_sessions (session_id) VALUES ($1)", [`w${writer}-${round}`]);
          await client.query("DELETE FROM mcp_sessions WHERE session_id = $1", [
            `s${writer * 50 + round + 1}`,
          ]);
          await client.query("COMMIT");
        }
      }),
    );
    const cleanups = (async () => {
      for (let i = 0; i < 10; i++) await query(config, cleanUp);
    })();
    await Promise.all([...writers, cleanups]);
    expect(
      await valueOf(config, "SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()"),
    ).toBe(0);
    expect(await query(config, counted)).toEqual([{ total: 400, is_right: true }]);
  });
});
