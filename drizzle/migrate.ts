// Brings a database to the tables and routines of this folder, in one transaction: all of it or nothing.
//
// Numbered migrations hold tables, columns and indexes. Each is repeatable (IF NOT EXISTS, or DROP IF EXISTS before it
// makes something again) and goes forward only, because db:migrate applies all of them again when something that they make
// is missing. A new one comes from `npm run db:generate`; make it repeatable by hand.
//
// A routine is a file in routines/. Change the file; db:migrate replaces the routine. Delete it; db:migrate drops it.
import { parseArgs } from "node:util";
import { Client, type ClientConfig } from "pg";
import { databaseUrl, directUrl, reasonOf } from "./connection.ts";
import { definitionHash, readCatalog } from "./catalog.ts";
import { readSqlFiles, type SqlFiles } from "./files.ts";
import { forget, record } from "./journal.ts";
import { enterPlace, type Place } from "./place.ts";
import { lockTables } from "./locks.ts";
import { linesOf, type Plan, planOf } from "./plan.ts";
import { applyRoutine, dropRoutines } from "./routines.ts";
import { leaveSharedJournal } from "./takeover.ts";

// Any constant does. Two migrations with the same key run one after the other. ASCII "mcps".
const MIGRATION_LOCK = 0x6d637073;

/**
 * Brings the database to the schema of this checkout. Safe to run twice, and at the same time elsewhere.
 * @returns what was done, one line each; empty when the database was up to date.
 * @throws the PostgreSQL error of the statement that failed, or an Error with the reason why the database is refused;
 *   nothing is changed then.
 */
export async function migrate(config: ClientConfig, folder = import.meta.dirname): Promise<string[]> {
  const files = readSqlFiles(folder);
  return inTransaction(config, "BEGIN", async (client) => {
    await client.query("SET LOCAL client_min_messages = warning");
    await client.query("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    const place = await enterPlace(client);
    const plan = await planOf(client, place, files);
    const isUpToDate = linesOf(plan, "planned").length === 0;
    return [...(isUpToDate ? [] : await apply(client, place, files, plan)), ...notesOf(plan)];
  });
}

/** What migrate() would do, one line each, with the routines that were changed; empty when the database is up to date. */
export async function driftOf(config: ClientConfig, folder = import.meta.dirname): Promise<string[]> {
  const files = readSqlFiles(folder);
  return inTransaction(config, "BEGIN READ ONLY", async (client) => {
    const plan = await planOf(client, await enterPlace(client), files);
    return [...linesOf(plan, "planned"), ...notesOf(plan)];
  });
}

async function inTransaction<T>(
  config: ClientConfig,
  begin: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client(config);
  await client.connect();
  try {
    await client.query(begin);
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } finally {
    // Rolls back what was not committed.
    await client.end();
  }
}

async function apply(client: Client, place: Place, files: SqlFiles, plan: Plan): Promise<string[]> {
  await lockTables(client, plan);
  for (const { subject } of plan.migrations) {
    await client.query(subject.text);
    await record(client, subject);
  }
  // A migration may have taken a table away with its triggers, so the routines are compared again.
  const { drops, routines, ...rest } = await planOf(client, place, files);
  await dropRoutines(
    client,
    drops.flatMap(({ subject }) => subject.routines),
  );
  for (const { subject } of drops) await forget(client, subject.name);
  for (const { subject } of routines) await applyRoutine(client, place.schema, subject);
  const names = routines.map(({ subject }) => subject.name);
  const catalog = await readCatalog(client, place.schema, names);
  for (const { subject } of routines) {
    const kind = subject.kind === "trigger" ? "trigger" : "routine";
    await record(client, subject, definitionHash(catalog, kind, subject.name));
  }
  const recounts = plan.recounts || rest.recounts;
  if (recounts) await client.query("SELECT mcp_recount_sessions()");
  if (plan.sharedRows > 0) await leaveSharedJournal(client);

  const left = linesOf(await planOf(client, place, files), "planned");
  if (left.length > 0) throw new Error(`this cannot be repaired:\n  ${left.join("\n  ")}`);
  return linesOf({ ...plan, drops, routines, recounts }, "done");
}

const notesOf = ({ notes }: Plan) => notes.map((note) => `Note: ${note}`);

const USAGE = "npm run db:migrate [-- --plan]";

if (import.meta.main) {
  let isPlan: boolean | undefined;
  try {
    isPlan = parseArgs({ options: { plan: { type: "boolean" } } }).values.plan;
  } catch (error) {
    console.error(`${reasonOf(error)}\nUsage: ${USAGE}`);
    process.exit(2);
  }
  const url = databaseUrl();
  if (!url) {
    console.error("Set DATABASE_URL, here or in .dev.vars, to the connection string of the Neon database.");
    process.exit(1);
  }
  try {
    const lines = await (isPlan === true ? driftOf : migrate)({ connectionString: directUrl(url) });
    const isUpToDate = lines.every((line) => line.startsWith("Note: "));
    console.log([...(isUpToDate ? ["The database is up to date."] : []), ...lines].join("\n"));
  } catch (error) {
    console.error(`Migration failed, nothing was applied: ${reasonOf(error)}`);
    process.exit(1);
  }
}
