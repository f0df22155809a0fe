// Applies the migrations of this folder over a direct TCP connection, all of them or none, and says why not.
import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate as applyMigrations } from "drizzle-orm/node-postgres/migrator";
import { Client, type ClientConfig, DatabaseError } from "pg";

// Any constant does; it keeps two deploys from migrating at once. ASCII "mcps".
const MIGRATION_LOCK = 0x6d637073;

/**
 * Brings the database to the schema of this checkout. Safe to run twice, and at the same time elsewhere.
 * @throws the PostgreSQL error of the statement that failed; nothing is applied then.
 */
export async function migrate(config: ClientConfig, migrationsFolder = import.meta.dirname): Promise<void> {
  const client = new Client(config);
  await client.connect();
  try {
    await client.query("SET client_min_messages = warning");
    await client.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK]);
    await applyMigrations(drizzle(client), { migrationsFolder });
  } finally {
    await client.end();
  }
}

/**
 * The same database without Neon's pooler in between, which does not keep a session: a lock taken through it
 * stays behind (Neon, "Connection pooling").
 */
export function directUrl(url: string): string {
  return url.replace(/(@[^./]+)-pooler\./, "$1.");
}

/** PostgreSQL's own account of an error, without the statement or its parameters. */
function reasonOf(error: unknown): string {
  let cause = error;
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
  if (cause instanceof AggregateError) [cause] = cause.errors;
  if (!(cause instanceof DatabaseError)) return cause instanceof Error ? cause.message : String(cause);
  const { code, detail, hint, where } = cause;
  return [`${cause.message}${code ? ` (${code})` : ""}`, detail, hint, where].filter(Boolean).join("\n  ");
}

function databaseUrl(): string | undefined {
  if (process.env["DATABASE_URL"]) return process.env["DATABASE_URL"];
  try {
    return parseEnv(readFileSync(".dev.vars", "utf8"))["DATABASE_URL"];
  } catch {
    return undefined; // No .dev.vars: the message below says what is missing.
  }
}

if (import.meta.main) {
  const url = databaseUrl();
  if (!url) {
    console.error("Set DATABASE_URL, here or in .dev.vars, to the connection string of the Neon database.");
    process.exit(1);
  }
  try {
    await migrate({ connectionString: directUrl(url) });
    console.log("The database is up to date.");
  } catch (error) {
    console.error(`Migration failed, nothing was applied: ${reasonOf(error)}`);
    process.exit(1);
  }
}
