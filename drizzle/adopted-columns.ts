// What a column of another program's mcp_sessions needs before this project can use it. Pure.
import { judgeType } from "./adopted-types.ts";
import {
  alter,
  type Circumstances,
  type Conversion,
  type Declared,
  isOutgoing,
  type Problem,
  renamed,
  rowCount,
} from "./judgement.ts";
import type { SharedColumn, SharedTable } from "./shared-table.ts";

// What makes it a table of sessions.
const NEEDED = ["session_id", "expires_at"];
/** What a server of another kind may lack, and what fills each in later. */
const OPTIONAL: Readonly<Record<string, string>> = {
  created_at: "now()",
  last_active: "now()",
  capabilities: "'{}'",
  client_info: "'{}'",
};

/** The columns that a new session is opened with, as in drizzle/routines/mcp_open_session.sql. */
export const OPENED_WITH = [...NEEDED, ...Object.keys(OPTIONAL), "principal", "protocol_version"];

/** A declared column that the table lacks. Nothing to say of those that db:migrate adds to every table. */
export function judgeMissing(
  { name, type }: Declared,
  table: SharedTable,
  convert: boolean,
): (Problem | Conversion)[] {
  const filledIn = OPTIONAL[name];
  if (filledIn === undefined && !NEEDED.includes(name)) return [];
  const renames = lookalikesOf(name, table).map(({ quoted }) =>
    alter(table, [`RENAME COLUMN ${quoted} TO ${name}`]),
  );
  if (renames.length > 0) {
    return [{ text: `${name} is missing. If this is it, rename it, or else add one:`, statements: renames }];
  }
  if (filledIn === undefined) {
    const isId = name === "session_id";
    const what = isId ? "names a session" : "says when a session expires";
    const text = `${name} is missing. Rename the column that ${what}, or add one:`;
    const definition = isId ? `${type} NOT NULL UNIQUE DEFAULT gen_random_uuid()::text` : type;
    return [{ text, statements: [alter(table, [`ADD COLUMN ${name} ${definition}`])] }];
  }
  // In two steps: the rows that are there have not been made just now.
  const actions = [`ADD COLUMN ${name} ${type}`, `ALTER COLUMN ${name} SET DEFAULT ${filledIn}`];
  if (!convert) {
    return [{ text: `${name} is missing. --convert adds it. Or run:`, statements: [alter(table, actions)] }];
  }
  const subject = `mcp_sessions.${name}, null in the rows that are there`;
  return [{ verb: "add", subject, actions, rewritesTable: false }];
}

const plain = (name: string) => name.toLowerCase().replaceAll("_", "");

/** Columns that may be meant: the same name in another style, or for the id a column that is a key by itself. */
export function lookalikesOf(name: string, { columns, uniqueIndexes }: SharedTable): SharedColumn[] {
  const similar = columns.filter((column) => plain(column.name) === plain(name));
  if (similar.length > 0 || name !== "session_id") return similar;
  return columns.filter((column) =>
    uniqueIndexes.some((key) => key.isWhole && key.columns.join() === column.name),
  );
}

/** A declared column that the table has. */
export function judgePresent(
  declared: Declared,
  column: SharedColumn,
  table: SharedTable,
  given: Circumstances,
): (Problem | Conversion)[] {
  const { name, quoted, generated, foreignKeys } = column;
  const values = given.counts.values[quoted] ?? 0;
  if (name === "principal" && values > 0) {
    const why = `principal has a value in ${rowCount(values)}, and rows with a principal are this Worker's own`;
    return [renamed(table, column, why)];
  }
  if (generated === "v") return [renamed(table, column, `${name} is generated, and is to be written`)];
  const isOpened = OPENED_WITH.includes(name);
  const value = column.default ?? column.domainDefault;
  const hasDefault = generated === "" && value !== null && !value.startsWith("NULL::");
  const noDefault = column.domainDefault === null ? "DROP DEFAULT" : "SET DEFAULT NULL";
  const problem = (why: string, ...actions: string[]): Problem => ({
    text: `${name} ${why}:`,
    statements: [alter(table, actions)],
  });
  const change = (action: string) => `ALTER COLUMN ${quoted} ${action}`;
  return [
    ...(generated === "s" ? [problem("is generated, and is to be written", change("DROP EXPRESSION"))] : []),
    ...(name === "principal" && hasDefault
      ? [problem("has a default, and rows with a principal are this Worker's own", change(noDefault))]
      : []),
    ...(hasDefault && !isOpened
      ? [
          problem(
            "has a default, and a new session begins without one",
            change(noDefault),
            change("DROP NOT NULL"),
          ),
        ]
      : []),
    ...(isOpened ? [] : judgeForeign(column, table)),
    ...foreignKeys
      .filter((key) => isOutgoing(key, table))
      .map((key) =>
        problem(
          `references ${key.partner.table}, and new sessions are not there`,
          `DROP CONSTRAINT ${key.name}`,
        ),
      ),
    ...judgeType(declared, column, table, given),
  ];
}

/** A column that a new session leaves out, such as one of the other program. */
export function judgeForeign(column: SharedColumn, table: SharedTable): Problem[] {
  const { quoted, baseType, length, isNotNull, fillsItself, type } = column;
  if ((!isNotNull && !column.isDomainNotNull) || fillsItself) return [];
  const text = `${column.name} is NOT NULL without a default, and new sessions leave it out:`;
  const of = (action: string) => alter(table, [`ALTER COLUMN ${quoted} ${action}`]);
  if (!isNotNull) return [{ text, statements: [`ALTER DOMAIN ${type} DROP NOT NULL`] }];
  const key = table.uniqueIndexes.find(({ isPrimary }) => isPrimary);
  if (!key?.columns.includes(column.name)) return [{ text, statements: [of("DROP NOT NULL")] }];
  if (key.columns.includes("session_id")) {
    return [
      { text, statements: [key.drop, alter(table, ["ADD PRIMARY KEY (session_id)"]), of("DROP NOT NULL")] },
    ];
  }
  if (baseType === "uuid") return [{ text, statements: [of("SET DEFAULT gen_random_uuid()")] }];
  if (["text", "character varying", "character"].includes(baseType)) {
    const isShort = length !== null && length < UUID_CHARACTERS;
    const value = isShort
      ? `left(replace(gen_random_uuid()::text, '-', ''), ${length})`
      : "gen_random_uuid()::text";
    return [{ text, statements: [of(`SET DEFAULT ${value}`)] }];
  }
  if (!["smallint", "integer", "bigint"].includes(baseType)) {
    return [
      { text, statements: [key.drop, alter(table, ["ADD PRIMARY KEY (session_id)"]), of("DROP NOT NULL")] },
    ];
  }
  return [
    {
      text: `${text.slice(0, -1)}. It is the primary key, so give it a default whose values the other program does not use:`,
      // From -1 down: its own values are positive.
      statements: [of("ADD GENERATED BY DEFAULT AS IDENTITY (INCREMENT BY -1)")],
    },
  ];
}

const UUID_CHARACTERS = 36;
