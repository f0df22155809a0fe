// Which indexes are to be built and which dropped. An index that another program made is never touched, whatever its name:
// ours are those in the journal.
import { type Catalog, declaredTables, type Index } from "./catalog.ts";
import { type IndexFile, isMigration, sha256, type SqlFiles } from "./files.ts";
import { type Journal } from "./journal.ts";
import type { Step } from "./plan.ts";
import { formerIndex, type SharedJournal } from "./takeover.ts";

export interface IndexDrop {
  name: string;
  /** Whether replacing an index has left it. */
  isLeftover: boolean;
}

/** While an index is replaced, the new one and the old one have these names. */
export const besideName = (name: string) => `${name}_new`;
export const formerName = (name: string) => `${name}_old`;

const indexesOn = ({ tables }: Catalog, table: string) =>
  tables.find(({ name }) => name === table)?.indexes ?? [];

/** The index of this name on its table. */
export const findIndex = (catalog: Catalog, { name, table }: Pick<IndexFile, "name" | "table">) =>
  indexesOn(catalog, table).find((index) => index.name === name);

/** The hash of what the index is, whatever its name. */
export const definitionOf = ({ definition }: Index) =>
  sha256(definition.replace(/ INDEX .+? ON /, " INDEX ON "));

export function indexSteps(catalog: Catalog, journal: Journal, files: SqlFiles): Step<IndexFile>[] {
  return files.indexes.flatMap((subject): Step<IndexFile>[] => {
    const found = findIndex(catalog, subject);
    const built = journal.get(subject.name);
    if (found === undefined) {
      if (twinOf(subject, catalog, journal, files) !== undefined) return [];
      return [{ subject, reason: built === undefined ? "not built yet" : "missing in the database" }];
    }
    if (!found.isValid) return [{ subject, reason: "its last build did not finish" }];
    if (built === undefined) return [];
    if (built.definition !== definitionOf(found)) return [{ subject, reason: "changed in the database" }];
    if (built.sha256 !== subject.sha256) return [{ subject, reason: "its file has changed" }];
    return [];
  });
}

export function indexDrops(catalog: Catalog, journal: Journal, files: SqlFiles): Step<IndexDrop>[] {
  const withFile = files.indexes.map(({ name }) => name);
  return catalog.tables
    .flatMap(({ indexes }) => indexes)
    .filter((index) => isOurs(index, journal) && !withFile.includes(index.name) && !isMigration(index.name))
    .map(({ name }) => ({ name, isLeftover: isLeftover(name, withFile) }))
    .map((subject) => ({
      subject,
      reason: subject.isLeftover ? "replacing it did not finish" : "its file is gone",
    }));
}

// On a table of ours alone, so nobody else has made it.
const OF_RUNS = { name: "idx_mcp_cleanup_runs_tier", table: "mcp_cleanup_runs" };

/**
 * What the journal is to say of indexes that former versions made, when it does not name indexes yet. Ours is one that is as
 * the former migration made it, in a database where that was applied. Asked once: what is made later is another program's.
 */
export function formerEntries(
  catalog: Catalog,
  journal: Journal,
  shared: SharedJournal,
  files: SqlFiles,
): Journal {
  const entries: Journal = new Map();
  if (journal.has(OF_RUNS.name)) return entries;
  const ofRuns = findIndex(catalog, OF_RUNS);
  const file = files.indexes.find(({ name }) => name === OF_RUNS.name);
  if (ofRuns !== undefined && file !== undefined) {
    const isSame = isOn(ofRuns, declaredOf(file));
    entries.set(file.name, { sha256: file.sha256, definition: isSame ? definitionOf(ofRuns) : null });
  }
  const former = findIndex(catalog, { ...formerIndex, table: "mcp_sessions" });
  if (
    former?.isPartial === false &&
    former.plainColumns?.join() === formerIndex.columns &&
    wasMade(catalog, journal, shared)
  ) {
    entries.set(former.name, { sha256: "", definition: definitionOf(former) });
  }
  return entries;
}

/** What has its name and is another index was made by somebody else. */
const isOurs = (index: Index, journal: Journal) => {
  const built = journal.get(index.name);
  return built !== undefined && [null, definitionOf(index)].includes(built.definition);
};

/** Whether formerIndex was made here. When Drizzle's journal is gone, tables of a former version say so. */
function wasMade({ tables }: Catalog, journal: Journal, { hashes }: SharedJournal): boolean {
  const columnsOf = (table: string) => tables.find(({ name }) => name === table)?.columns;
  const isFormer =
    journal.size === 0 && columnsOf("mcp_cleanup_runs")?.some(({ name }) => name === "blocked") === false;
  const hasOwners = columnsOf("mcp_sessions")?.some(({ name }) => name === "protocol_version") === true;
  return hashes.includes(formerIndex.madeBy) || (hashes.length === 0 && isFormer && hasOwners);
}

const isLeftover = (name: string, files: string[]) =>
  files.some((file) => name === besideName(file) || name === formerName(file));

/** What stands in for an index of ours, and what has its name and is another. */
export function indexNotes(catalog: Catalog, journal: Journal, files: SqlFiles): string[] {
  return files.indexes.flatMap((file) => {
    const found = findIndex(catalog, file);
    if (found === undefined) {
      const twin = twinOf(file, catalog, journal, files);
      return twin === undefined ? [] : [`${file.name} is not built, because ${twin.name} is the same index`];
    }
    const declared = declaredOf(file);
    const wanted = declared?.columns;
    const isSame = wanted === undefined ? found.definition.includes("'handle:'") : isOn(found, declared);
    if (isSame || !found.isValid || journal.has(file.name)) return [];
    const what = wanted === undefined ? "not what ours is" : `not on (${wanted.join(", ")})`;
    return [`the index ${file.name} is another program's, and ${what}. Rename it to have ours built`];
  });
}

/** An index under another name that does the same, and stays. */
function twinOf(file: IndexFile, catalog: Catalog, journal: Journal, files: SqlFiles): Index | undefined {
  const declared = declaredOf(file);
  if (declared?.columns === undefined) return undefined;
  const dropped = indexDrops(catalog, journal, files).map(({ subject }) => subject.name);
  return indexesOn(catalog, file.table).find(
    (index) => !index.isPartial && isOn(index, declared) && !dropped.includes(index.name),
  );
}

const declaredOf = ({ name, table }: IndexFile) =>
  declaredTables.find((declared) => declared.name === table)?.indexes.find((index) => index.name === name);

/** Whether an index does what a declared one is for: one on all rows does what one on some of them does. */
const isOn = (index: Index, declared: ReturnType<typeof declaredOf>) =>
  index.plainColumns?.join() === declared?.columns?.join() &&
  (declared?.isPartial === true || !index.isPartial);
