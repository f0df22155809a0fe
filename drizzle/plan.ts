// Compares the SQL files and the journal with what the database holds, and says what is to be done. Changes nothing.
import type { Client } from "pg";
import type { Conversion } from "./judgement.ts";
import { type Adoption, refusalsOfRoutines } from "./adoption.ts";
import { type Catalog, declaredTables, definitionHash, readCatalog, type Routine } from "./catalog.ts";
import { adoptionOf } from "./conversion.ts";
import { type IndexFile, isMigration, type RoutineFile, type SqlFile, type SqlFiles } from "./files.ts";
import { hasOurBody, wasOurs } from "./former-use.ts";
import { formerEntries, type IndexDrop, indexDrops, indexNotes, indexSteps } from "./index-plan.ts";
import { type Journal, readJournal, RECOUNT_DUE } from "./journal.ts";
import type { Place } from "./place.ts";
import { areRunNumbersTaken } from "./run-numbers.ts";
import { formerRoutines, readSharedJournal, type SharedJournal } from "./takeover.ts";

export interface Step<Subject> {
  subject: Subject;
  /** Why, as the end of a line: `its file has changed`. */
  reason: string;
}

/** The steps in the order in which they are taken. */
export interface Plan {
  /** Only those that were asked for. */
  conversions: Conversion[];
  migrations: Step<SqlFile>[];
  drops: Step<{ name: string; routines: Routine[] }>[];
  routines: Step<RoutineFile>[];
  /** Whether the sessions are to be counted. */
  recounts: boolean;
  /** Whether rows are inserted or deleted uncounted until the steps above are taken. */
  uncounted: boolean;
  /** How many rows to delete from Drizzle's shared journal. */
  sharedRows: number;
  /** Whether the next run would get a number that is taken. */
  renumbers: boolean;
  indexDrops: Step<IndexDrop>[];
  indexes: Step<IndexFile>[];
  missing: Missing;
  /** What an operator should know; nothing is done about it. */
  notes: string[];
}

export interface Missing {
  tables: string[];
  /** Columns and constraints of tables that are there, such as `mcp_sessions.principal`. */
  parts: string[];
}

/** What a plan is made of. */
export interface State {
  catalog: Catalog;
  /** With what former versions made. */
  journal: Journal;
  /** The entries of that which are not written yet. */
  unwritten: Journal;
  shared: SharedJournal;
  adoption: Adoption;
  /** Whether the next cleanup run would get a number that is taken. */
  areRunNumbersTaken: boolean;
}

/** @param convert whether conversions of mcp_sessions have been asked for */
export async function readState(
  client: Client,
  { schema }: Place,
  files: SqlFiles,
  convert: boolean,
): Promise<State> {
  const written = await readJournal(client);
  const catalog = await readCatalog(client, schema, namesOf(files, written));
  const isNew = !wasOurs(catalog, written, files);
  const adoption = await adoptionOf(client, schema, catalog, { isNew, convert });
  const shared = await readSharedJournal(client);
  const unwritten = formerEntries(catalog, written, shared, files);
  return {
    catalog,
    journal: new Map([...written, ...unwritten]),
    unwritten,
    adoption,
    shared,
    areRunNumbersTaken: await areRunNumbersTaken(client, catalog),
  };
}

/** The names of all routines that a plan is about. */
export const namesOf = (files: SqlFiles, journal: Journal) => [
  ...files.routines.map(({ name }) => name),
  ...formerRoutines.map(({ name }) => name),
  ...journal.keys(),
];

/** @throws Error when the existing tables cannot be used, or the database is ahead of these files. */
export function planOf(
  { catalog, journal, unwritten, shared, adoption, areRunNumbersTaken: renumbers }: State,
  { schema, notes }: Place,
  files: SqlFiles,
): Plan {
  const isJournaled = journal.size > unwritten.size;
  const isOurs = (name: string) =>
    shared.hashes.length > 0 ||
    journal.has(name) ||
    (isJournaled ? hasOurBody(name, catalog, files) : wasOurs(catalog, journal, files));
  refuse([...adoption.refusals, ...refusalsOfRoutines(catalog, schema, isOurs)], journal, files);
  const missing = missingIn(catalog, files);
  const routines = routineSteps(catalog, journal, files);
  const uncounted = missing.tables.length > 0 || routines.some(({ subject }) => subject.countsRows);
  return {
    conversions: adoption.conversions,
    migrations: migrationSteps(missing, journal, files),
    drops: dropSteps(catalog, journal, files),
    routines,
    recounts: uncounted || journal.has(RECOUNT_DUE),
    uncounted,
    sharedRows: shared.mayDelete ? shared.hashes.length : 0,
    renumbers,
    indexDrops: indexDrops(catalog, journal, files),
    indexes: indexSteps(catalog, journal, files),
    missing,
    notes: [
      ...notes,
      ...adoption.notes,
      ...indexNotes(catalog, journal, files),
      ...(shared.hashes.length === 0 || shared.mayDelete
        ? []
        : [
            `drizzle.__drizzle_migrations has ${shared.hashes.length} rows of former versions, which this role may not delete`,
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

/** What src/db/schema.ts declares, these migrations make, and the database does not have. Those of an older version make less. */
function missingIn({ tables }: Catalog, { migrations }: SqlFiles): Missing {
  const made = migrations.map(({ text }) => text).join("\n");
  const missing: Missing = { tables: [], parts: [] };
  for (const { name, columns, checks } of declaredTables.filter((table) => made.includes(table.name))) {
    const found = tables.find((table) => table.name === name);
    if (found === undefined) {
      missing.tables.push(name);
      continue;
    }
    const has = new Set([...found.columns.map((column) => column.name), ...found.checks]);
    const parts = [...columns.map((column) => column.name), ...checks];
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
  const indexes = [...files.indexes, ...catalog.tables.flatMap((table) => table.indexes)];
  const others = [...files.routines, ...indexes, { name: RECOUNT_DUE }].map(({ name }) => name);
  const removed = [...journal.keys()]
    .filter((name) => !isMigration(name) && !others.includes(name))
    .map((name) => ({
      subject: { name, routines: catalog.routines.filter((routine) => routine.name === name) },
      reason: "its file is gone",
    }));
  return [...former, ...removed];
}
