// Compares the SQL files and the journal with what the database holds, and says what is to be done. Changes nothing.
import type { Client } from "pg";
import { refusalsOf } from "./adoption.ts";
import { type Catalog, declaredTables, definitionHash, readCatalog, type Routine } from "./catalog.ts";
import { isMigration, type RoutineFile, type SqlFile, type SqlFiles } from "./files.ts";
import { type Journal, readJournal } from "./journal.ts";
import type { Place } from "./place.ts";
import { formerRoutines, readSharedJournal } from "./takeover.ts";

export interface Step<Subject> {
  subject: Subject;
  /** Why, as the end of a line: `its file has changed`. */
  reason: string;
}

/** The steps in the order in which they are taken. */
export interface Plan {
  migrations: Step<SqlFile>[];
  drops: Step<{ name: string; routines: Routine[] }>[];
  routines: Step<RoutineFile>[];
  /** Whether rows may have been inserted or deleted uncounted. */
  recounts: boolean;
  /** How many rows to delete from Drizzle's shared journal. */
  sharedRows: number;
  /** What an operator should know; nothing is done about it. */
  notes: string[];
}

/**
 * @param place as enterPlace() returned it in this transaction
 * @throws Error when the existing tables cannot be used, or the database is ahead of these files.
 */
export async function planOf(client: Client, { schema, notes }: Place, files: SqlFiles): Promise<Plan> {
  const hasJournal = await client.query("SELECT FROM pg_class WHERE oid = to_regclass('mcp_schema_journal')");
  const journal: Journal = hasJournal.rowCount === 0 ? new Map() : await readJournal(client);
  const catalog = await readCatalog(client, schema, [
    ...files.routines.map(({ name }) => name),
    ...formerRoutines.map(({ name }) => name),
    ...journal.keys(),
  ]);
  refuse(refusalsOf(catalog), journal, files);
  const missing = missingIn(catalog);
  const routines = routineSteps(catalog, journal, files);
  const shared = await readSharedJournal(client);
  return {
    migrations: migrationSteps(missing, journal, files),
    drops: dropSteps(catalog, journal, files),
    routines,
    recounts: missing.tables.length > 0 || routines.some(({ subject }) => subject.countsRows),
    sharedRows: shared.mayDelete ? shared.rows : 0,
    notes: [
      ...notes,
      ...(shared.rows === 0 || shared.mayDelete
        ? []
        : [
            `drizzle.__drizzle_migrations has ${shared.rows} rows of former versions, which this role may not delete`,
          ]),
    ],
  };
}

function refuse(reasons: string[], journal: Journal, { migrations }: SqlFiles): void {
  const unknown = [...journal.keys()].filter(
    (name) => isMigration(name) && !migrations.some((file) => file.name === name),
  );
  const refusals = [
    ...reasons,
    ...(unknown.length === 0
      ? []
      : [`a later version has migrated this database (${unknown.join(", ")}); migrate it with that one`]),
  ];
  if (refusals.length > 0) throw new Error(refusals.join("\n  "));
}

interface Missing {
  tables: string[];
  /** Columns, indexes and constraints of tables that are there. */
  parts: string[];
}

function missingIn({ tables }: Catalog): Missing {
  const missing: Missing = { tables: [], parts: [] };
  for (const { name, columns, indexes, checks } of declaredTables) {
    const found = tables.find((table) => table.name === name);
    if (found === undefined) {
      missing.tables.push(name);
      continue;
    }
    const has = new Set([...found.columns.map((column) => column.name), ...found.indexes, ...found.checks]);
    const parts = [...columns.map((column) => column.name), ...indexes, ...checks];
    missing.parts.push(...parts.filter((part) => !has.has(part)).map((part) => `${name}.${part}`));
  }
  return missing;
}

/** Migrations are repeatable, so all are applied again when something of theirs is missing. */
function migrationSteps({ tables, parts }: Missing, journal: Journal, { migrations }: SqlFiles) {
  const first = migrations.findIndex(({ name, sha256 }) => journal.get(name)?.sha256 !== sha256);
  const isNew = migrations[first] !== undefined && !journal.has(migrations[first].name);
  const lost = [...tables, ...parts];
  // What a migration that was never applied would make is not lost.
  const isRepair = lost.length > 0 && !(isNew && first === 0);
  const from = isRepair ? 0 : first;
  if (from === -1) return [];
  return migrations.slice(from).map((subject): Step<SqlFile> => {
    const applied = journal.get(subject.name);
    if (applied === undefined) return { subject, reason: "not applied yet" };
    if (applied.sha256 !== subject.sha256) return { subject, reason: "its file has changed" };
    return { subject, reason: isRepair ? `missing: ${lost.join(", ")}` : "an earlier one is applied again" };
  });
}

function routineSteps(catalog: Catalog, journal: Journal, { routines }: SqlFiles) {
  return routines.flatMap((subject): Step<RoutineFile>[] => {
    const recorded = journal.get(subject.name);
    const kind = subject.kind === "trigger" ? "trigger" : "routine";
    const definition = definitionHash(catalog, kind, subject.name);
    if (recorded === undefined) {
      return [{ subject, reason: definition === undefined ? "not applied yet" : "not in the journal" }];
    }
    if (definition === undefined) return [{ subject, reason: "missing in the database" }];
    if (recorded.definition !== definition) return [{ subject, reason: "changed in the database" }];
    if (recorded.sha256 !== subject.sha256) return [{ subject, reason: "its file has changed" }];
    return [];
  });
}

const isFormer = ({ kind, name }: Routine) =>
  formerRoutines.some((former) => former.kind === kind && former.name === name);

function dropSteps(catalog: Catalog, journal: Journal, files: SqlFiles): Plan["drops"] {
  const former = catalog.routines.filter(isFormer).map((routine) => ({
    subject: { name: routine.name, routines: [routine] },
    reason: "a former version made it",
  }));
  const removed = [...journal.keys()]
    .filter((name) => !isMigration(name) && !files.routines.some((file) => file.name === name))
    .map((name) => ({
      subject: { name, routines: catalog.routines.filter((routine) => routine.name === name) },
      reason: "its file is gone",
    }));
  return [...former, ...removed];
}

const VERBS = {
  planned: { apply: "Would apply", drop: "Would drop", recount: "Would recount", delete: "Would delete" },
  done: { apply: "Applied", drop: "Dropped", recount: "Recounted", delete: "Deleted" },
} as const;

/** One line for each step of a plan, such as `Applied mcp_open_session: its file has changed`. */
export function linesOf(plan: Plan, tense: keyof typeof VERBS): string[] {
  const verb = VERBS[tense];
  return [
    ...plan.migrations.map(({ subject, reason }) => `${verb.apply} ${subject.name}: ${reason}`),
    ...plan.drops.map(({ subject, reason }) => `${verb.drop} ${subject.name}: ${reason}`),
    ...plan.routines.map(({ subject, reason }) => `${verb.apply} ${subject.name}: ${reason}`),
    ...(plan.recounts ? [`${verb.recount} the sessions`] : []),
    ...(plan.sharedRows > 0
      ? [`${verb.delete} ${plan.sharedRows} rows of former versions from drizzle.__drizzle_migrations`]
      : []),
  ];
}
