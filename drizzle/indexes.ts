// Builds and drops indexes beside the readers and writers of their tables, one after the other, each in transactions of its
// own. What is interrupted leaves an index that is not valid or has another name, and the next run takes it away.
import { type Client, DatabaseError, escapeIdentifier } from "pg";
import { readCatalog } from "./catalog.ts";
import { reasonOf } from "./connection.ts";
import type { IndexFile } from "./files.ts";
import { besideName, definitionOf, findIndex, formerName } from "./index-plan.ts";
import { type Journal, journalStatements } from "./journal.ts";
import type { Place } from "./place.ts";
import type { Plan, State } from "./plan.ts";
import { linesOfSteps } from "./plan-lines.ts";
import { type Observer, Wait, WaitedInVain, type Waiting } from "./waiting.ts";

// Often enough to name who is in the way before an operator wonders.
const LOOK_MS = 500;

const LOCK_NOT_AVAILABLE = "55P03";

export interface IndexContext {
  client: Client;
  pid: number;
  observer: Observer;
  waiting: Waiting;
}

export interface Built {
  lines: string[];
  /** Why an index is not built or not dropped, one for each. */
  problems: string[];
}

/**
 * Takes the steps of the plan that are about indexes. One that fails does not keep the others from being taken, but for one
 * that waited in vain: they would wait for the same.
 */
export async function buildIndexes(
  context: IndexContext,
  place: Place,
  { catalog }: State,
  plan: Plan,
): Promise<Built> {
  const built: Built = { lines: [], problems: [] };
  let isInVain = false;
  const take = async (name: string, steps: Partial<Plan>, work: () => Promise<void>) => {
    if (isInVain) return built.problems.push(`${name}: not begun`);
    try {
      await work();
      return built.lines.push(...linesOfSteps(steps, "done"));
    } catch (error) {
      isInVain = error instanceof WaitedInVain;
      return built.problems.push(`${name}: ${reasonOf(error)}`);
    }
  };
  const dropEach = async (steps: Plan["indexDrops"]) => {
    for (const step of steps) {
      const { name } = step.subject;
      await take(name, { indexDrops: [step] }, () => drop(context, name));
    }
  };
  // A leftover has the name that a build needs.
  await dropEach(plan.indexDrops.filter(({ subject }) => subject.isLeftover));
  for (const step of plan.indexes) {
    const { subject } = step;
    const found = findIndex(catalog, subject);
    await take(subject.name, { indexes: [step] }, async () => {
      context.waiting.say(`Building ${subject.name} on ${subject.table}`);
      if (found !== undefined && !found.isValid) await drop(context, subject.name);
      await (found?.isValid === true ? replace(context, place, subject) : build(context, place, subject));
    });
  }
  // One may serve queries until the one that replaces it is built. When that fails, the next run drops it.
  if (built.problems.length === 0) {
    await dropEach(plan.indexDrops.filter(({ subject }) => !subject.isLeftover));
  }
  return built;
}

async function build(context: IndexContext, place: Place, file: IndexFile): Promise<void> {
  await waitingFor(context, `to build ${file.name}`, file.text);
  await context.client.query(journalStatements(await entryOf(context, place, file, file.name)).join(";\n"));
}

/** Builds the new index beside the old one, so that queries always have one. */
async function replace(context: IndexContext, place: Place, file: IndexFile): Promise<void> {
  const { client } = context;
  const [beside, former] = [besideName(file.name), formerName(file.name)];
  const mark: Journal = new Map([[beside, { sha256: "", definition: null }]]);
  await client.query(journalStatements(mark).join(";\n"));
  await waitingFor(
    context,
    `to build ${file.name}`,
    file.text.replace(`IF NOT EXISTS ${file.name}`, `IF NOT EXISTS ${beside}`),
  );
  const entry = await entryOf(context, place, file, beside);
  const renaming = [
    "BEGIN",
    `ALTER INDEX ${escapeIdentifier(file.name)} RENAME TO ${escapeIdentifier(former)}`,
    `ALTER INDEX ${escapeIdentifier(beside)} RENAME TO ${escapeIdentifier(file.name)}`,
    ...journalStatements(new Map([...entry, [former, { sha256: "", definition: null }]]), [beside]),
    "COMMIT",
  ];
  try {
    await waitingFor(context, `to rename ${file.name}`, renaming.join(";\n"));
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
  await drop(context, former);
}

async function drop(context: IndexContext, name: string): Promise<void> {
  await waitingFor(context, `to drop ${name}`, `DROP INDEX CONCURRENTLY IF EXISTS ${escapeIdentifier(name)}`);
  await context.client.query(journalStatements(new Map(), [name]).join(";\n"));
}

/** What the journal is to say of the index `name`, which was built of the file. */
async function entryOf({ client }: IndexContext, place: Place, file: IndexFile, name: string) {
  const catalog = await readCatalog(client, place.schema, []);
  const found = findIndex(catalog, { ...file, name });
  if (found?.isValid !== true) throw new Error(await nameTaken(client, name));
  const entry: Journal = new Map([[file.name, { sha256: file.sha256, definition: definitionOf(found) }]]);
  return entry;
}

/** A table that was renamed keeps the names of its indexes. */
async function nameTaken(client: Client, name: string): Promise<string> {
  const { rows } = await client.query<{ table: string }>(
    "SELECT indrelid::regclass::text AS table FROM pg_index WHERE indexrelid = to_regclass($1)",
    [name],
  );
  const [other] = rows;
  if (other === undefined) return `something else has the name ${name}`;
  return `an index of ${other.table} has its name. Give that another one: ALTER INDEX ${name} RENAME TO other_${name};`;
}

/** Runs the statement. It may wait for each transaction in its way for as long as `waiting` says. */
async function waitingFor({ client, pid, observer, waiting }: IndexContext, what: string, statement: string) {
  const wait = new Wait(what, waiting);
  await client.query(`SET lock_timeout = ${Math.max(waiting.limitMs, 1)}`);
  const question = { pid, firstMs: LOOK_MS, everyMs: LOOK_MS };
  try {
    await observer.during(
      question,
      (found) => wait.heldBy(found),
      () => client.query(statement),
    );
  } catch (error) {
    if (!(error instanceof DatabaseError && error.code === LOCK_NOT_AVAILABLE)) throw error;
    await observer.answered();
    throw wait.inVain();
  } finally {
    await client.query("SET lock_timeout TO DEFAULT").catch(() => {});
  }
}
