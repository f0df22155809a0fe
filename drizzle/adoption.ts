// Whether a table that is there can be used as it is, or after a conversion that was asked for. What cannot be used is
// refused before anything is changed, with the reason and the statements that would make it fit. Pure.
import { escapeIdentifier } from "pg";
import { judgeForeign, judgeMissing, judgePresent, lookalikesOf } from "./adopted-columns.ts";
import { isIdKey, keyProblems } from "./adopted-keys.ts";
import { type Catalog, declaredTables, type Table } from "./catalog.ts";
import { mayHoldJson } from "./column-types.ts";
import { alter, type Circumstances, type Conversion, type Problem } from "./judgement.ts";
import type { RowQuestions } from "./row-counts.ts";
import type { SharedTable } from "./shared-table.ts";

/** The table that another program may own. The others are this project's alone. */
export const SHARED = "mcp_sessions";

export interface Adoption {
  /** One text for each table, with the statements on lines of their own. */
  refusals: string[];
  conversions: Conversion[];
  /** What an operator should know; nothing is done about it. */
  notes: string[];
}

// By pg_class.relkind: as a reader names it, and as a statement does.
const KINDS: Record<string, [what: string, keyword: string]> = {
  v: ["a view", "VIEW"],
  m: ["a materialized view", "MATERIALIZED VIEW"],
  f: ["a foreign table", "FOREIGN TABLE"],
  p: ["a partitioned table", "TABLE"],
  S: ["a sequence", "SEQUENCE"],
  c: ["a type", "TYPE"],
  i: ["an index", "INDEX"],
  I: ["an index", "INDEX"],
};

const columnsOf = (name: string) => declaredTables.find((table) => table.name === name)?.columns ?? [];

/** What judgeShared() must know of the rows. */
export function questionsOf(
  { kind, columns, uniqueIndexes, isOwned }: SharedTable,
  isNew: boolean,
): RowQuestions {
  // A new table of another role is refused, and this one may not be allowed to read it.
  const found = kind === "r" && (isOwned || !isNew) ? columns : [];
  const json = columnsOf(SHARED).filter(({ type }) => type === "jsonb");
  const asked = (isMeant: (column: (typeof found)[number]) => boolean) =>
    found.filter(isMeant).map(({ quoted }) => quoted);
  return {
    repeated: asked(({ name }) => name === "session_id" && !uniqueIndexes.some(isIdKey)),
    nulls: asked(({ name, isNotNull }) => name === "session_id" && !isNotNull),
    values: asked(({ name }) => name === "principal" && isNew),
    notJson: asked(
      ({ name, baseType }) => json.some((column) => column.name === name) && mayHoldJson(baseType),
    ),
  };
}

/** Judges mcp_sessions. */
export function judgeShared(table: SharedTable, given: Circumstances): Adoption {
  const { columns, quoted } = table;
  if (table.kind !== "r")
    return { refusals: [refusalOf(SHARED, [notATable(table.kind, quoted)])], conversions: [], notes: [] };
  const declared = columnsOf(SHARED);
  const missing = declared.filter((column) => !columns.some(({ name }) => name === column.name));
  const meant = missing.flatMap(({ name }) => lookalikesOf(name, table));
  const outcomes = [
    ...tableProblems(table, given.isNew),
    ...declared.flatMap((column) => {
      const found = columns.find(({ name }) => name === column.name);
      return found === undefined
        ? judgeMissing(column, table, given.convert)
        : judgePresent(column, found, table, given);
    }),
    ...columns
      .filter((column) => !meant.includes(column) && !declared.some(({ name }) => name === column.name))
      .flatMap((column) => judgeForeign(column, table)),
    ...keyProblems(table, given),
  ];
  const problems = outcomes.filter((outcome): outcome is Problem => "text" in outcome);
  return {
    refusals: problems.length === 0 ? [] : [refusalOf(SHARED, problems)],
    conversions: outcomes.filter((outcome): outcome is Conversion => "verb" in outcome),
    notes: notesOf(table, given),
  };
}

/** Why tables of this project's own cannot be used. Something else has their name then, or has changed them. */
export function refusalsOfOwn({ tables }: Catalog, schema: string): string[] {
  return tables
    .filter(({ name }) => name !== SHARED)
    .flatMap((table) => {
      const quoted = schema === "public" ? table.name : `${escapeIdentifier(schema)}.${table.name}`;
      if (table.kind !== "r") return [refusalOf(table.name, [notATable(table.kind, quoted)])];
      const wrong = wrongOf(table);
      const text = `${wrong.join("; ")}. Another program has made or changed it. Give it another name:`;
      return wrong.length === 0
        ? []
        : [refusalOf(table.name, [{ text, statements: [rename("TABLE", quoted, table.name)] }])];
    });
}

/** Why routines and triggers cannot be made: another program has these names. */
export function refusalsOfRoutines(
  { routines }: Catalog,
  schema: string,
  isOurs: (name: string) => boolean,
): string[] {
  const prefix = schema === "public" ? "" : `${escapeIdentifier(schema)}.`;
  return routines
    .filter(({ name }) => !isOurs(name))
    .map(({ kind, name, identity }) => {
      const found = kind === "trigger" ? identity.replace(" ON ", ` ON ${prefix}`) : prefix + identity;
      const text = "it is another program's, and ours has this name. Give it another name:";
      const statements = [`ALTER ${kind.toUpperCase()} ${found} RENAME TO other_${name}`];
      return refusalOf(name, [{ text, statements }], kind);
    });
}

// Types of former versions, which a migration changes.
const FORMER_TYPES: Readonly<Record<string, string>> = { "mcp_session_totals.shard": "smallint" };

function wrongOf(table: Table): string[] {
  const declared = declaredTables.find(({ name }) => name === table.name);
  if (declared === undefined) return [];
  const types = declared.columns.flatMap(({ name, type }) => {
    const found = table.columns.find((column) => column.name === name);
    const isFit = found?.type === type || found?.type === FORMER_TYPES[`${table.name}.${name}`];
    return found === undefined || isFit ? [] : [`${name} must be ${type}, is ${found.type}`];
  });
  const unfilled = table.columns.filter(
    ({ name, mustBeGiven }) => mustBeGiven && !declared.columns.some((column) => column.name === name),
  );
  const isKeyed =
    declared.key.length === 0 ||
    table.keys.some((key) => key.join() === declared.key.join()) ||
    // A key column that is missing is added with the key.
    !declared.key.every((name) => table.columns.some((column) => column.name === name));
  return [
    ...types,
    ...(isKeyed ? [] : [`${declared.key.join(", ")} must be its primary key, or unique`]),
    ...unfilled.map(({ name }) => `${name} is NOT NULL without a default`),
  ];
}

const rename = (keyword: string, quoted: string, name: string) =>
  `ALTER ${keyword} ${quoted} RENAME TO other_${name}`;

function notATable(kind: string, quoted: string): Problem {
  const [what, keyword] = KINDS[kind] ?? ["no table", "TABLE"];
  const name = quoted.slice(quoted.lastIndexOf(".") + 1);
  return {
    text: `it is ${what}. Give it another name, and a table is made:`,
    statements: [rename(keyword, quoted, name)],
  };
}

const problem = (isThere: boolean, text: string, ...statements: string[]) =>
  isThere ? [{ text, statements }] : [];

function tableProblems(table: SharedTable, isNew: boolean): Problem[] {
  const { quoted, owner, role, isOwned, grant, partitionOf, parents, ofType, rules } = table;
  return [
    ...problem(
      !isOwned && isNew,
      `${owner} owns it, and ${role} may not alter it. Migrate as ${owner}, or let an administrator run:`,
      grant,
    ),
    ...problem(
      partitionOf !== null,
      `it is a partition of ${partitionOf}, which is deleted from and dropped as a whole:`,
      `ALTER TABLE ${partitionOf} DETACH PARTITION ${quoted}`,
    ),
    ...problem(
      parents.length > 0,
      `it inherits from ${parents.join(", ")}, and a DELETE there removes sessions uncounted:`,
      ...parents.map((parent) => alter(table, [`NO INHERIT ${parent}`])),
    ),
    ...problem(
      ofType !== null,
      `it is a table of type ${ofType}, and takes no other columns:`,
      alter(table, ["NOT OF"]),
    ),
    ...problem(
      rules.length > 0,
      `rules (${rules.join(", ")}) rewrite what is written to it, so ON CONFLICT and WITH fail:`,
      ...rules.map((rule) => `DROP RULE ${rule} ON ${quoted}`),
    ),
  ];
}

function notesOf(table: SharedTable, { isNew }: Circumstances): string[] {
  const { children, columns, isUnlogged } = table;
  const id = columns.find(({ name }) => name === "session_id");
  const has = columns.some(({ name }) => name === "principal");
  return [
    ...(isUnlogged
      ? [`${SHARED} is UNLOGGED, so a crash empties it. To keep sessions: ${alter(table, ["SET LOGGED"])}`]
      : []),
    ...(children.length > 0
      ? [
          `${SHARED} has child tables (${children.join(", ")}). They get its new columns, too. ` +
            "Their rows are not used, counted or cleaned up",
        ]
      : []),
    ...(id?.isNotNull === false
      ? [
          `session_id may be NULL, which names no session: ${alter(table, ["ALTER COLUMN session_id SET NOT NULL"])}`,
        ]
      : []),
    ...(isNew && has
      ? ["principal is there already. The other program must leave it empty in its rows"]
      : []),
  ];
}

function refusalOf(name: string, problems: Problem[], kind = "table"): string {
  const lines = problems.flatMap(({ text, statements }) => [
    `  - ${text}`,
    ...statements.map((line) => `      ${line};`),
  ]);
  return [`the existing ${kind} ${name} cannot be adopted:`, ...lines].join("\n");
}
