// Brings a database to the tables, routines and indexes of this folder, while it is in use. Tables, columns and routines are
// applied together, or nothing is. Then the sessions are counted and indexes are built, without keeping anybody waiting;
// what is interrupted there, the next run finishes.
//
// Numbered migrations hold tables and columns. Each is repeatable (IF NOT EXISTS, or DROP IF EXISTS before it makes
// something again) and goes forward only, because db:migrate applies all of them again when something that they make is
// missing. A new one comes from `npm run db:generate`; make it repeatable by hand.
//
// A routine is a file in routines/, an index one in indexes/. Change the file; db:migrate replaces the routine or the index.
// Delete it; db:migrate drops it.
import { parseArgs } from "node:util";
import type { Client, ClientConfig } from "pg";
import { leave, untilAlone } from "./alone.ts";
import { applyTogether } from "./apply.ts";
import { configOf, databaseTarget, isLost, onConnection, reasonOf } from "./connection.ts";
import { readSqlFiles, type SqlFiles } from "./files.ts";
import { buildIndexes, type IndexContext } from "./indexes.ts";
import { journalStatements, RECOUNT_DUE } from "./journal.ts";
import { enterPlace, type Place } from "./place.ts";
import { type Plan, planOf, readState } from "./plan.ts";
import { linesOf, linesOfSteps } from "./plan-lines.ts";
import { continueRunNumbers } from "./run-numbers.ts";
import { checkout, type Terminal, usageOf } from "./terminal.ts";
import { proveUsable } from "./usable.ts";
import { DEFAULT_WAIT_MS, Observer, Wait, type Waiting } from "./waiting.ts";

/** Tables and routines are in place and the Worker can use them, but something else is left. */
export class Unfinished extends Error {
  override name = "Unfinished";
  /** What was done, one line each. */
  readonly done: string[];

  constructor(left: string[], done: string[]) {
    super(left.join("\n  "));
    this.done = done;
  }
}

export interface MigrationOptions extends Partial<Waiting> {
  /** Whether the types of another program's table may be changed where that makes it fit. */
  convert?: boolean;
}

/**
 * Brings the database to the schema of this checkout. Safe to run twice, and at the same time elsewhere.
 * @returns what was done, one line each; empty when the database was up to date.
 * @throws Unfinished when everything but a count or an index is in place; the next run finishes it.
 * @throws the PostgreSQL error of the statement that failed, or an Error with the reason why the database is refused;
 *   nothing is changed then.
 */
export async function migrate(
  config: ClientConfig,
  folder = import.meta.dirname,
  { convert = false, ...waiting }: MigrationOptions = {},
): Promise<string[]> {
  const files = readSqlFiles(folder);
  const wholly: Waiting = { limitMs: DEFAULT_WAIT_MS, say: () => {}, ...waiting };
  const observer = new Observer(config);
  try {
    return await onConnection(config, async (client) => {
      try {
        const pid = await untilAlone(client, wholly);
        return await migrateAlone({ client, pid, observer, waiting: wholly }, files, convert);
      } finally {
        await leave(client);
      }
    });
  } finally {
    await observer.end();
  }
}

/** What migrate() would do, one line each, with the routines that were changed; empty when the database is up to date. */
export async function driftOf(
  config: ClientConfig,
  folder = import.meta.dirname,
  { convert = false }: Pick<MigrationOptions, "convert"> = {},
): Promise<string[]> {
  const files = readSqlFiles(folder);
  return onConnection(config, async (client) => {
    await client.query("BEGIN READ ONLY");
    const place = await enterPlace(client);
    const plan = planOf(await readState(client, place, files, convert), place, files);
    return [...linesOf(plan, "planned"), ...notesOf(plan)];
  });
}

async function migrateAlone(context: IndexContext, files: SqlFiles, convert: boolean): Promise<string[]> {
  const { client, pid, observer, waiting } = context;
  // Each statement must see what others have committed while it waited.
  await client.query("BEGIN ISOLATION LEVEL READ COMMITTED");
  const place = await enterPlace(client);
  const state = await readState(client, place, files, convert);
  const wait = new Wait("for the lock on a table", waiting);
  const { lines, record } = await applyTogether(client, place, files, state, { pid, wait, observer });
  await proveUsable(client);
  try {
    await client.query([...record, "COMMIT"].join(";\n"));
  } catch (error) {
    throw isLost(error)
      ? new Unfinished([`it is not known whether all was applied: ${reasonOf(error)}`], [])
      : error;
  }
  try {
    return await finish(context, place, files, { lines, notes: state.adoption.notes });
  } catch (error) {
    throw error instanceof Unfinished ? error : new Unfinished([reasonOf(error)], lines);
  }
}

/** Takes the steps that are left, of this run or of one that was interrupted. */
async function finish(
  context: IndexContext,
  place: Place,
  files: SqlFiles,
  before: { lines: string[]; notes: string[] },
): Promise<string[]> {
  const { client } = context;
  const state = await readState(client, place, files, false);
  const plan = planOf(state, place, files);
  const lines = [...before.lines];
  const notes = (last: Plan) => notesOf({ notes: [...new Set([...before.notes, ...last.notes])] });
  const problems: string[] = [];
  if (plan.recounts) {
    try {
      await recount(client, context.waiting);
      lines.push("Recounted the sessions");
    } catch (error) {
      problems.push(`the sessions are not counted: ${reasonOf(error)}`);
    }
  }
  if (plan.renumbers) {
    await continueRunNumbers(client);
    lines.push(...linesOfSteps({ renumbers: true }, "done"));
  }
  const built = await buildIndexes(context, place, state, plan);
  lines.push(...built.lines);
  problems.push(...built.problems);
  if (problems.length > 0) throw new Unfinished(problems, lines);
  if (lines.length === 0) return notes(plan);
  const last = planOf(await readState(client, place, files, false), place, files);
  const left = linesOf(last, "planned");
  if (left.length > 0) throw new Unfinished(left, lines);
  return [...lines, ...notes(last)];
}

/** Counts without a lock on the table: the count and what others write meanwhile add up. */
async function recount(client: Client, { limitMs }: Waiting): Promise<void> {
  await client.query("BEGIN ISOLATION LEVEL READ COMMITTED");
  try {
    await client.query(`SET LOCAL lock_timeout = ${Math.max(limitMs, 1)}`);
    await client.query("SELECT mcp_recount_sessions()");
    await client.query([...journalStatements(new Map(), [RECOUNT_DUE]), "COMMIT"].join(";\n"));
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}

const notesOf = ({ notes }: Pick<Plan, "notes">) => notes.map((note) => `Note: ${note}`);

/**
 * The command: migrates, or prints the plan.
 * @returns the exit code: 2 when the arguments are wrong
 */
export async function runMigrate(args: string[], { folder, usage, log, error }: Terminal): Promise<number> {
  let isPlan: boolean;
  let convert: boolean;
  let limitMs: number;
  try {
    const { values } = parseArgs({
      args,
      options: {
        plan: { type: "boolean", default: false },
        convert: { type: "boolean", default: false },
        wait: { type: "string" },
      },
    });
    ({ plan: isPlan, convert } = values);
    limitMs = readSeconds(values.wait);
  } catch {
    error(usageOf(usage));
    return 2;
  }
  let config: ClientConfig;
  try {
    config = await configOf(databaseTarget());
  } catch (problem) {
    error(problem instanceof Error ? problem.message : String(problem));
    return 1;
  }
  try {
    const lines = await (isPlan
      ? driftOf(config, folder, { convert })
      : migrate(config, folder, { convert, limitMs, say: error }));
    const isUpToDate = lines.every((line) => line.startsWith("Note: "));
    log([...(isUpToDate ? ["The database is up to date."] : []), ...lines].join("\n"));
    return 0;
  } catch (problem) {
    if (problem instanceof Unfinished) {
      if (problem.done.length > 0) log(problem.done.join("\n"));
      error(`Migration not finished, run it again: ${problem.message}`);
    } else {
      error(`Migration failed, nothing was applied: ${reasonOf(problem)}`);
    }
    return 1;
  }
}

function readSeconds(text: string | undefined): number {
  if (text === undefined) return DEFAULT_WAIT_MS;
  if (!/^\d{1,6}$/.test(text)) throw new Error(`--wait takes a number of seconds, not ${text}`);
  return Number(text) * 1000;
}

if (import.meta.main) {
  const usage = "npm run db:migrate [-- [--plan] [--convert] [--wait SECONDS]]";
  const code = await runMigrate(process.argv.slice(2), checkout(import.meta.dirname, usage));
  if (code > 0) process.exit(code);
}
