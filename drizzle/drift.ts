// Fails when src/db/schema.ts, the migrations and the routines do not describe the same database.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, type ClientConfig } from "pg";
import { anyFreePort } from "../dev/ports.ts";
import { startPostgres } from "../dev/postgres.ts";
import { readSqlFiles } from "./files.ts";
import { fingerprintOf, type Part } from "./fingerprint.ts";
import { driftOf, migrate } from "./migrate.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const STRUCTURE = ["column", "index", "constraint"] as const satisfies readonly Part[];

function runDrizzleKit(...options: string[]): string {
  const bin = join(fileURLToPath(import.meta.resolve("drizzle-kit")), "..", "bin.cjs");
  const schema = ["--dialect", "postgresql", "--schema", "src/db/schema.ts"];
  return execFileSync(process.execPath, [bin, ...options, ...schema], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

// drizzle-kit takes a second each time, and says the same of the same snapshots.
const known = new Map<string, boolean>();
let exported: string | undefined;

/** Whether drizzle-kit would generate another migration, which means that its snapshot is old. */
function needsMigration(folder: string): boolean {
  const meta = join(folder, "meta");
  const snapshots = readdirSync(meta).map((file) => readFileSync(join(meta, file), "utf8"));
  const key = snapshots.join("\n");
  const answer = known.get(key) ?? wouldGenerate(folder);
  known.set(key, answer);
  return answer;
}

function wouldGenerate(folder: string): boolean {
  // Inside the project, because drizzle-kit takes no absolute path.
  const copy = mkdtempSync(join(root, "node_modules", ".drift-"));
  try {
    cpSync(folder, copy, { recursive: true });
    // Without a terminal to ask on, it fails with the exit code 0, so only these words mean that nothing has changed.
    return !runDrizzleKit("generate", "--out", relative(root, copy)).includes("No schema changes");
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/**
 * Migrates an empty database and compares it with one that drizzle-kit makes of src/db/schema.ts alone.
 * @returns one line for each difference
 */
async function differences(server: ClientConfig, folder: string): Promise<string[]> {
  const fromSchema = { ...server, database: "from_schema" };
  const fromFiles = { ...server, database: "from_files" };
  await onServer({ ...server, database: "postgres" }, async (client) => {
    for (const { database } of [fromSchema, fromFiles]) await client.query(`CREATE DATABASE ${database}`);
  });
  const wanted = await onServer(fromSchema, async (client) => {
    exported ??= runDrizzleKit("export", "--sql");
    await client.query(exported);
    return fingerprintOf(client, STRUCTURE);
  });
  await migrate(fromFiles, folder);
  return onServer(fromFiles, async (client) => {
    const found = await fingerprintOf(client, STRUCTURE);
    const { rows } = await client.query<{ name: string }>(
      `SELECT proname AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal`,
    );
    const files = readSqlFiles(folder).routines.map(({ name }) => name);
    return [
      ...without(wanted, found).map((line) => `only in src/db/schema.ts: ${line}`),
      ...without(found, wanted).map((line) => `only in the migrations: ${line}`),
      ...without(
        rows.map(({ name }) => name),
        files,
      ).map((name) => `not in drizzle/routines: ${name}`),
      ...(await driftOf(fromFiles, folder)),
    ];
  });
}

const without = (lines: string[], others: string[]) => lines.filter((line) => !others.includes(line));

async function onServer<T>(config: ClientConfig, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(config);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** @param server where databases may be created @returns one line for each difference; empty when there is none */
export async function findDrift(server: ClientConfig, folder = import.meta.dirname): Promise<string[]> {
  // One in a migration would keep every writer of its table out while it is built.
  const withIndex = readSqlFiles(folder).migrations.filter(({ text }) =>
    /\bCREATE\s+(UNIQUE\s+)?INDEX\b/i.test(text),
  );
  return [
    ...withIndex.map(({ name }) => `${name} makes an index: move it to drizzle/indexes/NAME.sql`),
    ...(needsMigration(folder) ? ["src/db/schema.ts has changed: run npm run db:generate"] : []),
    ...(await differences(server, folder)),
  ];
}

if (import.meta.main) {
  const dataDir = mkdtempSync(join(tmpdir(), "mcp-sessions-drift-"));
  const postgres = await startPostgres({ dataDir, port: await anyFreePort() });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
  process.on("exit", () => {
    postgres.stopSync();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const { host, port, user, password } = postgres;
  const drift = await findDrift({ host, port, user, password });
  for (const line of drift) console.error(line);
  process.exitCode = drift.length > 0 ? 1 : 0;
}
