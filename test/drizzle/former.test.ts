// Databases of every former state are taken over: each row, total, record and state document stays.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClientConfig } from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { migrate } from "../../drizzle/migrate.ts";
import { formerMigrations } from "../../drizzle/takeover.ts";
import {
  applyByDrizzle,
  applyFormer,
  cleanUp,
  counted,
  createDatabase,
  createDatabaseFrom,
  formerEntries,
  query,
  valueOf,
} from "./databases.ts";
import { expectFinished } from "./migrated.ts";

// Each combination of what differs below: the least common multiple of 2, 3, 4, 5 and 7.
const SESSIONS = 420;
// The index of the former migration from which on totals were counted.
const COUNTED_SINCE = 7;

/** A session of each kind in turn. What a former state has no column for is left out. */
const sessions = `
  INSERT INTO mcp_sessions
  SELECT s.* FROM generate_series(1, ${SESSIONS}) i, LATERAL jsonb_populate_record(NULL::mcp_sessions, jsonb_build_object(
    'session_id', CASE i % 5 WHEN 0 THEN 'back\\slash ' || i ELSE md5(i::text) END,
    'created_at', now() - interval '1 day', 'last_active', now() - i * interval '1 second',
    'expires_at', CASE i % 4 WHEN 0 THEN now() + interval '1 hour' + i * interval '1 second'
                             WHEN 1 THEN now() - i * interval '1 minute' WHEN 3 THEN now() - interval '1 day' END,
    'capabilities', jsonb_build_object('sampling', '{}'::jsonb), 'client_info', jsonb_build_object('name', 'client ' || i),
    'principal', CASE WHEN i % 3 > 0 THEN 'principal ' || i % 7 END, 'protocol_version', '2025-11-25',
    'log_level', CASE WHEN i % 2 = 0 THEN 'debug' END,
    'state', CASE WHEN i % 2 = 0 THEN jsonb_build_object('cart', jsonb_build_array(i, 'é', NULL)) END,
    'state_writes', CASE WHEN i % 2 = 0 THEN jsonb_build_array('write ' || i) END,
    'ended_at', CASE WHEN i % 4 = 3 THEN now() - interval '1 day' END,
    'end_reason', CASE WHEN i % 4 = 3 THEN 'client' END)) s`;

const runs = `
  INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, deleted, batches, error_code)
  SELECT CASE i % 3 WHEN 0 THEN 'immediate' ELSE 'regular' END, CASE i % 5 WHEN 0 THEN 'manual' ELSE 'cron' END,
         now() - i * interval '1 hour', now() - i * interval '1 hour', now() - i * interval '1 hour',
         now() - i * interval '1 hour' + interval '70 ms', o.outcome, CASE o.outcome WHEN 'completed' THEN i ELSE 0 END, 1, o.error_code
    FROM generate_series(1, 30) i,
         LATERAL (SELECT (ARRAY['completed', 'partial', 'skipped', 'failed'])[i % 4 + 1] AS outcome) p,
         LATERAL (SELECT p.outcome, CASE p.outcome WHEN 'skipped' THEN 'busy' WHEN 'failed' THEN '57014' END AS error_code) o`;

type Rows = Record<string, unknown>[];

/** Everything that the tables hold, one JSON object for each row. */
async function contentsOf(config: ClientConfig) {
  const rowsOf = async (table: string, order: string): Promise<Rows> => {
    const isThere = await valueOf(config, `SELECT to_regclass('${table}') IS NOT NULL`);
    if (isThere === false) return [];
    return (await query(config, `SELECT to_jsonb(t) AS row FROM ${table} t ORDER BY ${order}`)).map(
      ({ row }) => row as Record<string, unknown>,
    );
  };
  return {
    sessions: await rowsOf("mcp_sessions", "session_id"),
    runs: await rowsOf("mcp_cleanup_runs", "run_id"),
    totals: await rowsOf("mcp_session_totals", "name, shard"),
  };
}

/** Only the columns that `like` has. */
const narrowed = (rows: Rows, like: Rows) =>
  rows.map((row) => Object.fromEntries(Object.keys(like[0] ?? {}).map((name) => [name, row[name]])));

/** As the totals begin: with what the records of runs say. */
const totalsOfRuns = `
  SELECT jsonb_object_agg(name, value) FROM (
    SELECT 'sessions_deleted/' || tier AS name, sum(deleted)::int AS value FROM mcp_cleanup_runs GROUP BY tier
    UNION ALL SELECT 'cleanup_runs/' || tier || '/' || outcome, count(*) FROM mcp_cleanup_runs
              WHERE outcome <> 'running' GROUP BY tier, outcome) AS t WHERE value > 0`;

async function expectTakenOver(config: ClientConfig, before: Awaited<ReturnType<typeof contentsOf>>) {
  const after = await contentsOf(config);
  expect(before.sessions).toHaveLength(SESSIONS);
  expect(narrowed(after.sessions, before.sessions)).toEqual(before.sessions);
  expect(narrowed(after.runs, before.runs)).toEqual(before.runs);
  const byName = Object.fromEntries(after.totals.map(({ name, value }) => [name, value]));
  // Counted totals stay as they are; else they begin with the records.
  const isCounted = before.totals.length > 0;
  expect(isCounted ? after.totals : byName).toEqual(
    isCounted ? before.totals : await valueOf(config, totalsOfRuns),
  );
  await expectFinished(config, SESSIONS);
}

const ages = ["older", "between", "newer", "gone"] as const;

describe.concurrent.each(formerEntries)("a database of the former $tag", ({ idx, tag }) => {
  const template = `former_${idx}`;
  let before: Awaited<ReturnType<typeof contentsOf>>;

  beforeAll(async () => {
    const config = await createDatabase();
    await applyFormer(config, idx);
    await query(config, sessions, runs);
    before = await contentsOf(config);
    await query(
      { ...config, database: "postgres" },
      `ALTER DATABASE ${String(config.database)} RENAME TO ${template}`,
    );
  });

  test("is brought to today with everything kept, and a second time nothing is left to do", async () => {
    expect(before.totals.length > 0).toBe(idx >= COUNTED_SINCE);
    const config = await createDatabaseFrom(template);
    expect(await migrate(config)).toContain(
      `Deleted ${idx + 1} rows of former versions from drizzle.__drizzle_migrations`,
    );
    await expectTakenOver(config, before);
    expect(await migrate(config)).toEqual([]);
    await expectTakenOver(config, before);
    // And it works: the next cleanup deletes what has expired, and counts that.
    const [expired] = await query(
      config,
      "SELECT count(*)::text AS count FROM mcp_sessions WHERE expires_at < now()",
    );
    expect(await query(config, cleanUp)).toMatchObject([
      { outcome: "completed", deleted: expired?.["count"] },
    ]);
    expect(await query(config, counted)).toMatchObject([{ is_right: true }]);
  });

  test("is brought to today by two at once", async () => {
    const config = await createDatabaseFrom(template);
    const lines = await Promise.all([migrate(config), migrate(config)]);
    // One does everything, the other finds it done.
    expect(lines.filter(({ length }) => length === 0)).toHaveLength(1);
    await expectTakenOver(config, before);
  });

  // Another one for each former state, and all of them for the last.
  test.each(idx === formerEntries.length - 1 ? ages : ages.filter((_, i) => i === idx % ages.length))(
    "leaves another program's rows in the shared journal that are %s, and its migrations are applied",
    async (age) => {
      const config = await createDatabaseFrom(template);
      const [oldest, newest] = [formerEntries[0]?.when ?? 0, formerEntries[idx]?.when ?? 0];
      const when = { older: oldest - 9000, between: (oldest + newest) / 2, newer: newest + 9000, gone: 1 }[
        age
      ];
      const folder = makeOtherProgram(Math.floor(when));
      try {
        if (age === "gone") await query(config, "DROP SCHEMA drizzle CASCADE");
        else {
          await query(
            config,
            OTHER_TABLE,
            `INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('${sha256Of(folder)}', ${Math.floor(when)})`,
          );
        }
        const journal =
          "SELECT * FROM drizzle.__drizzle_migrations WHERE NOT hash = ANY (ARRAY[%]) ORDER BY id";
        const others = journal.replace("%", formerMigrations.map((hash) => `'${hash}'`).join());
        const itsRows = age === "gone" ? [] : await query(config, others);
        await migrate(config);
        await expectTakenOver(config, before);
        const left =
          age === "gone" ? [] : await query(config, "SELECT * FROM drizzle.__drizzle_migrations ORDER BY id");
        expect(left).toEqual(itsRows);
        // Drizzle skips each migration that is older than the newest row.
        await applyByDrizzle(config, folder);
        expect(await valueOf(config, "SELECT to_regclass('other.more')::text")).toBe("other.more");
        expect(await migrate(config)).toEqual([]);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  test("has the hash by which its rows are found in the shared journal", () => {
    const text = readFileSync(`test/drizzle/former/${tag}.sql`);
    expect(formerMigrations[idx]).toBe(createHash("sha256").update(text).digest("hex"));
  });
});

const OTHER_TABLE = "CREATE SCHEMA other CREATE TABLE first (id integer);";

/** The folder of another program that migrates with Drizzle: a migration made at `when`, and one just after it. */
function makeOtherProgram(when: number): string {
  const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-other-"));
  mkdirSync(join(folder, "meta"));
  writeFileSync(join(folder, "0000_first.sql"), OTHER_TABLE);
  writeFileSync(join(folder, "0001_more.sql"), "CREATE TABLE other.more (id integer);");
  const entry = { version: "7", breakpoints: true };
  const entries = [
    { ...entry, idx: 0, when, tag: "0000_first" },
    { ...entry, idx: 1, when: when + 1, tag: "0001_more" },
  ];
  writeFileSync(
    join(folder, "meta/_journal.json"),
    JSON.stringify({ version: "7", dialect: "postgresql", entries }),
  );
  return folder;
}

const sha256Of = (folder: string) =>
  createHash("sha256")
    .update(readFileSync(join(folder, "0000_first.sql")))
    .digest("hex");

test("another program's newer row does not keep our tables from being made", async () => {
  // It migrated with Drizzle after our newest migration was made.
  const config = await createDatabase(
    "CREATE SCHEMA drizzle",
    "CREATE TABLE drizzle.__drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)",
    "INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('of another program', 1795600000000)",
  );
  await migrate(config);
  await expectFinished(config);
  expect(await query(config, "SELECT hash FROM drizzle.__drizzle_migrations")).toEqual([
    { hash: "of another program" },
  ]);
});

test.each(["hash uuid", "hash bytea", "hash integer", "name text"])(
  "a table by the name of Drizzle's journal with %s is another tool's",
  async (column) => {
    const config = await createDatabase(
      "CREATE SCHEMA drizzle",
      `CREATE TABLE drizzle.__drizzle_migrations (id SERIAL PRIMARY KEY, ${column}, created_at bigint)`,
      "INSERT INTO drizzle.__drizzle_migrations DEFAULT VALUES",
    );
    await migrate(config);
    await expectFinished(config);
    expect(await valueOf(config, "SELECT count(*)::int FROM drizzle.__drizzle_migrations")).toBe(1);
  },
);

test("rows that this role may not delete stay in the shared journal, and are named", async () => {
  const config = await createDatabaseFrom("former_11");
  const role = `keeper_${String(config.database)}`;
  await query(
    config,
    `CREATE ROLE ${role} LOGIN PASSWORD 'p'`,
    "CREATE SCHEMA own",
    `ALTER SCHEMA own OWNER TO ${role}`,
    `ALTER ROLE ${role} SET search_path = own`,
  );
  // Of a schema that it may not use it says nothing.
  expect((await migrate({ ...config, user: role, password: "p" })).join()).not.toContain("drizzle");
  await query(
    config,
    `GRANT USAGE ON SCHEMA drizzle TO ${role}`,
    `GRANT SELECT ON drizzle.__drizzle_migrations TO ${role}`,
  );
  const lines = await migrate({ ...config, user: role, password: "p" });
  expect(lines).toContain(
    "Note: drizzle.__drizzle_migrations has 12 rows of former versions, which this role may not delete",
  );
  await query(config, `DROP OWNED BY ${role}`, `DROP ROLE ${role}`);
});
