// Applies tables, columns, routines and triggers, all of them or none. What takes time comes first; what needs the locks
// is sent as one message, and then decided on.
import type { Client } from "pg";
import { type Catalog, catalogStatements, catalogOf, definitionHash } from "./catalog.ts";
import type { SqlFiles } from "./files.ts";
import { applyConversions } from "./conversion.ts";
import { definitionOf, findIndex } from "./index-plan.ts";
import { type Journal, journalStatements, RECOUNT_DUE } from "./journal.ts";
import { inAttempts, type LockContext, locksOf, lockStatements, settle } from "./locks.ts";
import type { Place } from "./place.ts";
import { namesOf, type Plan, planOf, type State } from "./plan.ts";
import { linesOfSteps } from "./plan-lines.ts";
import { applyRoutine, dropStatements } from "./routines.ts";
import { leaveSharedJournal } from "./takeover.ts";

export interface Applied {
  /** One for each thing that was done. */
  lines: string[];
  /** Says in the journal what was done. It is the last statement before COMMIT. */
  record: string[];
}

/** Takes the steps of the plan that go together. The caller commits them, with `record`, or rolls them back. */
export async function applyTogether(
  client: Client,
  place: Place,
  files: SqlFiles,
  state: State,
  context: LockContext,
): Promise<Applied> {
  const plan = planOf(state, place, files);
  await client.query(`SET LOCAL lock_timeout = ${Math.max(Math.ceil(context.wait.leftMs()), 1)}`);
  // Their tables may come later.
  await client.query("SET LOCAL check_function_bodies = off");
  if (plan.sharedRows > 0) await leaveSharedJournal(client);
  await applyFunctions(client, place, plan);
  const locks = locksOf(plan, state);
  const changing = locks.find(({ table }) => table === "mcp_sessions");
  if (changing !== undefined) await settle(client, changing.table, context);

  const work = { client, place, files, state };
  const { done, catalog } = await inAttempts(client, context, async () => {
    const isConverting = plan.conversions.length > 0;
    if (isConverting) {
      await client.query(lockStatements(locks).join(";\n"));
      await applyConversions(client, plan.conversions);
    }
    const first = await changeTables(work, plan, isConverting ? [] : lockStatements(locks));
    // A migration may have taken a table away with its triggers, so everything is compared again.
    if (!hasSteps(first.left)) return { done: plan, catalog: first.state.catalog };
    if (first.left.migrations.length > 0) throw cannotRepair(first.left);
    await applyFunctions(client, place, first.left);
    const second = await changeTables({ ...work, state: first.state }, first.left, []);
    if (hasSteps(second.left)) throw cannotRepair(second.left);
    return { done: together(plan, first.left), catalog: second.state.catalog };
  });
  const { migrations, drops, routines, sharedRows } = done;
  const { conversions } = plan;
  return {
    lines: linesOfSteps(
      { conversions, migrations, drops, routines, sharedRows, indexes: indexesInside(plan) },
      "done",
    ),
    record: journalStatements(
      new Map([...state.unwritten, ...journalOf(done, catalog)]),
      drops.map(({ subject }) => subject.name).filter((name) => state.journal.has(name)),
    ),
  };
}

interface Work {
  client: Client;
  place: Place;
  files: SqlFiles;
  state: State;
}

/** Takes the steps that need locks, in one message with the questions about what is there then. */
async function changeTables({ client, place, files, state }: Work, plan: Plan, locks: string[]) {
  const dropped = plan.drops.flatMap(({ subject }) => subject.routines);
  const statements = [
    ...locks,
    ...plan.migrations.map(({ subject }) => subject.text),
    ...dropStatements(dropped, "trigger"),
    ...plan.routines.filter(({ subject }) => subject.kind === "trigger").map(({ subject }) => subject.text),
    // Now that no trigger calls them.
    ...dropStatements(dropped, "routine"),
    ...indexesInside(plan).map(({ subject }) => subject.text.replace(" CONCURRENTLY", "")),
    ...catalogStatements(place.schema, namesOf(files, state.journal)),
  ];
  // A text may end with a comment.
  const results: unknown = await client.query(statements.join("\n;\n"));
  const catalog = catalogOf(results);
  const journal = new Map([...state.journal, ...journalOf(plan, catalog)]);
  for (const { subject } of plan.drops) journal.delete(subject.name);
  const changed = { ...state, catalog, journal, adoption: { ...state.adoption, conversions: [] } };
  return { state: changed, left: planOf(changed, place, files) };
}

async function applyFunctions(client: Client, { schema }: Place, { routines }: Plan): Promise<void> {
  for (const { subject } of routines)
    if (subject.kind !== "trigger") await applyRoutine(client, schema, subject);
}

/** A table that is made now gets its indexes at once: nobody waits for it, and it is empty. */
const indexesInside = ({ indexes, missing }: Plan) =>
  indexes.filter(({ subject }) => missing.tables.includes(subject.table));

const hasSteps = ({ migrations, drops, routines }: Plan) =>
  migrations.length + drops.length + routines.length > 0;

/** What the journal is to say of the plan's steps. */
function journalOf(plan: Plan, catalog: Catalog): Journal {
  const journal: Journal = new Map();
  for (const { subject } of plan.migrations)
    journal.set(subject.name, { sha256: subject.sha256, definition: null });
  for (const { subject } of plan.routines) {
    const kind = subject.kind === "trigger" ? "trigger" : "routine";
    const definition = definitionHash(catalog, kind, subject.name) ?? null;
    journal.set(subject.name, { sha256: subject.sha256, definition });
  }
  for (const { subject } of indexesInside(plan)) {
    const built = findIndex(catalog, subject);
    if (built !== undefined)
      journal.set(subject.name, { sha256: subject.sha256, definition: definitionOf(built) });
  }
  if (plan.uncounted) journal.set(RECOUNT_DUE, { sha256: "", definition: null });
  return journal;
}

function together(plan: Plan, more: Plan): Plan {
  const drops = [...plan.drops, ...more.drops];
  const routines = [...plan.routines, ...more.routines];
  return { ...plan, drops, routines, uncounted: plan.uncounted || more.uncounted };
}

function cannotRepair({ migrations, drops, routines }: Plan): Error {
  const lines = linesOfSteps({ migrations, drops, routines }, "planned");
  return new Error(`this cannot be repaired:\n  ${lines.join("\n  ")}`);
}
