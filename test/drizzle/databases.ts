// Databases for the tests of the migrations: empty ones, a Python server's, and those that former states left.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate as migrateByDrizzle } from "drizzle-orm/node-postgres/migrator";
import type { Client, ClientConfig } from "pg";
import { afterAll, beforeAll, vi } from "vitest";
import { fingerprintOf } from "../../drizzle/fingerprint.ts";
import { connected, startTestPostgres, type TestPostgres } from "../support/postgres.ts";

// A slow machine is no failure.
vi.setConfig({ testTimeout: 0, hookTimeout: 0 });

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres({ fsync: "off" });
});
afterAll(() => postgres.remove());

let databases = 0;

/** How the server's superuser connects to a database of it. */
export function adminOf(database: string): ClientConfig {
  const { host, port, user, password } = postgres;
  return { host, port, user, password, database };
}

/** A database of its own, after `statements`. */
export async function createDatabase(...statements: string[]): Promise<ClientConfig> {
  return createDatabaseFrom("template1", ...statements);
}

/** A copy of a database that nobody is connected to. */
export async function createDatabaseFrom(template: string, ...statements: string[]): Promise<ClientConfig> {
  const database = `db_${++databases}`;
  await query(adminOf("postgres"), `CREATE DATABASE ${database} TEMPLATE ${template}`);
  if (statements.length > 0) await query(adminOf(database), ...statements);
  return adminOf(database);
}

/** Runs the statements on one connection; returns the rows of the last. */
export const query = (config: ClientConfig, ...statements: string[]) =>
  connected(config, async (client) => {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) ({ rows } = await client.query(statement));
    return rows;
  });

/** The one value that a statement returns. */
export async function valueOf(config: ClientConfig, statement: string): Promise<unknown> {
  const [row] = await query(config, statement);
  return Object.values(row ?? {})[0];
}

/** A copy of `folder` that is gone after `work`. */
export async function withCopy<T>(folder: string, work: (copy: string) => Promise<T>): Promise<T> {
  const copy = mkdtempSync(join(tmpdir(), "mcp-sessions-migrations-"));
  try {
    cpSync(folder, copy, { recursive: true });
    return await work(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Applies a folder with Drizzle's own migrator, and so with the journal that all its programs share. */
export const applyByDrizzle = (config: ClientConfig, migrationsFolder: string) =>
  connected(config, (client) => migrateByDrizzle(drizzle(client), { migrationsFolder }));

export interface FormerEntry {
  idx: number;
  when: number;
  tag: string;
}

const FORMER = "test/drizzle/former";
/** The former migrations, oldest first. */
export const formerEntries: FormerEntry[] = JSON.parse(
  readFileSync(join(FORMER, "meta/_journal.json"), "utf8"),
).entries;

/** Brings a database to the state that the former migrations up to `last` left. */
export const applyFormer = (config: ClientConfig, last: number) =>
  withCopy(FORMER, async (copy) => {
    const path = join(copy, "meta/_journal.json");
    const journal = JSON.parse(readFileSync(path, "utf8"));
    journal.entries = formerEntries.slice(0, last + 1);
    writeFileSync(path, JSON.stringify(journal));
    await applyByDrizzle(config, copy);
  });

/** The table as a Python server makes it, in its later versions. */
export const pythonTable = [
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

/** Until a backend of the database waits for a lock of another, or `migrated` has ended without that. */
export const untilWaiting = (config: ClientConfig, migrated: Promise<unknown>, relation?: string) =>
  untilTrue(
    config,
    `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                     WHERE NOT l.granted AND a.datname = current_database()${relation === undefined ? "" : ` AND l.relation = '${relation}'::regclass`})`,
    migrated,
  );

// A question takes about a millisecond, and the server has other work.
const POLL_MS = 5;

/** Asks again and again until the answer is true; returns false when `migrated` has ended without that. */
export async function untilTrue(
  config: ClientConfig,
  question: string,
  migrated?: Promise<unknown>,
): Promise<boolean> {
  let hasEnded = false;
  const ended = migrated?.finally(() => (hasEnded = true));
  // Whoever has started it sees its failure.
  ended?.catch(() => {});
  return connected(config, async (client) => {
    for (;;) {
      const { rows } = await client.query<Record<string, boolean>>(question);
      if (Object.values(rows[0] ?? {})[0]) return true;
      if (hasEnded) return false;
      await Promise.race([ended ?? setTimeout(POLL_MS), setTimeout(POLL_MS)]);
    }
  });
}

/** Whether the number of sessions is right, and what it is. */
export const counted =
  "SELECT c.total::int, c.total = (SELECT count(*) FROM mcp_sessions) AS is_right FROM mcp_count_sessions(0) c";

export const cleanUp = "CALL mcp_cleanup_sessions('regular', 'manual', now(), 0, 100, 10000, 30)";

/** What the tables, indexes, routines and triggers are, and nothing of what they hold. */
export const schemaOf = (config: ClientConfig, schema = "public") =>
  connected(config, (client) =>
    fingerprintOf(client, ["column", "index", "constraint", "storage", "routine", "trigger"], schema),
  );

/** Waits until a backend waits for a lock. @param client is in no transaction. */
export async function waits(client: Client, pid: number): Promise<void> {
  const waiting = "SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'";
  while ((await client.query(waiting, [pid])).rows.length === 0) await setTimeout(10);
}
