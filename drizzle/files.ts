// The SQL files that make a database: numbered migrations in this folder, one file a routine in routines/, and one file an
// index in indexes/.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

export interface SqlFile {
  /** The file's name without its extension; in the journal, too. */
  name: string;
  text: string;
  sha256: string;
}

export interface RoutineFile extends SqlFile {
  kind: "function" | "procedure" | "trigger";
  /** It is a trigger, or a function that triggers call: what is written before it is applied may be uncounted. */
  countsRows: boolean;
  /** What PostgreSQL keeps as it is: of a trigger, what it executes. */
  body: string;
}

export interface IndexFile extends SqlFile {
  /** The table that it is on. */
  table: string;
  /** Of its statement alone: an index is not built again because a comment has changed. */
  sha256: string;
}

export interface SqlFiles {
  /** In the order of their numbers. */
  migrations: SqlFile[];
  indexes: IndexFile[];
  /** Triggers last, because they call the functions. */
  routines: RoutineFile[];
}

export const isMigration = (name: string) => /^\d{4}_/.test(name);

export const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** @throws Error when a file of routines/ or indexes/ does not create what its name says. */
export function readSqlFiles(folder: string): SqlFiles {
  const routines = sqlFilesIn(join(folder, "routines")).map(asRoutine);
  return {
    migrations: sqlFilesIn(folder).filter(({ name }) => isMigration(name)),
    indexes: sqlFilesIn(join(folder, "indexes")).map(asIndex),
    routines: [
      ...routines.filter(({ kind }) => kind !== "trigger"),
      ...routines.filter(({ kind }) => kind === "trigger"),
    ],
  };
}

function sqlFilesIn(folder: string): SqlFile[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".sql"))
    .toSorted()
    .map((file) => {
      // Git may have checked it out with the line ends of Windows.
      const text = readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n");
      return { name: basename(file, ".sql"), text, sha256: sha256(text) };
    });
}

function asIndex(file: SqlFile): IndexFile {
  const [, name, table] = /^CREATE INDEX CONCURRENTLY IF NOT EXISTS (\w+) ON (\w+)/m.exec(file.text) ?? [];
  if (table === undefined || name !== file.name) {
    throw new Error(
      `drizzle/indexes/${file.name}.sql must hold CREATE INDEX CONCURRENTLY IF NOT EXISTS ${file.name} ON …`,
    );
  }
  const statement = file.text
    .replaceAll(/^ *--.*$/gm, "")
    .replaceAll(/\s+/g, " ")
    .trim();
  return { ...file, table, sha256: sha256(statement) };
}

function asRoutine(file: SqlFile): RoutineFile {
  const [, kind, name] = /^CREATE OR REPLACE (FUNCTION|PROCEDURE|TRIGGER) (\w+)/m.exec(file.text) ?? [];
  if (kind === undefined || name !== file.name) {
    throw new Error(
      `drizzle/routines/${file.name}.sql must hold CREATE OR REPLACE FUNCTION, PROCEDURE or TRIGGER ${file.name}`,
    );
  }
  const lower = kind.toLowerCase();
  const [, body = ""] =
    (lower === "trigger" ? /(EXECUTE FUNCTION \w+\(\))/ : /^AS \$\$(.*)\$\$;/ms).exec(file.text) ?? [];
  if (lower === "trigger") return { ...file, kind: "trigger", countsRows: true, body };
  return {
    ...file,
    kind: lower === "procedure" ? "procedure" : "function",
    countsRows: /^RETURNS trigger$/m.test(file.text),
    body,
  };
}
