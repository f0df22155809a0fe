// What a column of another program's mcp_sessions needs before this project can use it. Pure.
import { changeTo } from "./column-types.ts";
import type { RowCounts } from "./row-counts.ts";
import type { ForeignKey, SharedColumn, SharedTable } from "./shared-table.ts";

/** Why a table cannot be used as it is. */
export interface Problem {
  /** Ends with a colon, because statements follow. */
  text: string;
  /** What would make it fit, without semicolons. */
  statements: string[];
}

/** A part of the one statement that converts the table. */
export interface Conversion {
  verb: "convert" | "add";
  /** The rest of a line: `mcp_sessions.expires_at from … to …`. */
  subject: string;
  /** Such as `ALTER COLUMN expires_at TYPE …`. */
  actions: string[];
  rewritesTable: boolean;
}

/** A column as src/db/schema.ts declares it. */
export interface Declared {
  name: string;
  type: string;
}

export interface Circumstances {
  counts: RowCounts;
  /** No version of this project has used the table before. */
  isNew: boolean;
  /** Conversions have been asked for. */
  convert: boolean;
}

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

export const alter = ({ quoted }: SharedTable, actions: string[]) =>
  `ALTER TABLE ${quoted} ${actions.join(", ")}`;

export const rowCount = (count: number) => (count === 1 ? "1 row" : `${count} rows`);

const renamed = (table: SharedTable, { name, quoted }: SharedColumn, why: string): Problem => ({
  text: `${why}. Give it another name, and tell the other program:`,
  statements: [alter(table, [`RENAME COLUMN ${quoted} TO other_${name}`])],
});

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

const isOutgoing = (key: ForeignKey, { quoted }: SharedTable) =>
  key.table === quoted && key.partner.table !== quoted;

/** A column that a new session leaves out, such as one of the other program. */
export function judgeForeign(column: SharedColumn, table: SharedTable): Problem[] {
  const { quoted, baseType, isNotNull, fillsItself, type } = column;
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
  if (["text", "character varying"].includes(baseType)) {
    return [{ text, statements: [of("SET DEFAULT gen_random_uuid()::text")] }];
  }
  return [
    {
      text: `${text.slice(0, -1)}. It is the primary key, so give it a default whose values the other program does not use:`,
      statements: [of("ADD GENERATED BY DEFAULT AS IDENTITY")],
    },
  ];
}

function judgeType(
  { name, type }: Declared,
  column: SharedColumn,
  table: SharedTable,
  { counts, convert }: Circumstances,
): (Problem | Conversion)[] {
  // mcp_resume_session takes a session for unused while these two are equal.
  const pair = ["created_at", "last_active"];
  const precisions = pair.map((one) => table.columns.find((other) => other.name === one)?.precision ?? null);
  const change = changeTo(type, column, !pair.includes(name) || precisions[0] === precisions[1]);
  if (change.kind === "fits") return [];
  const wrong = `${name} must be ${type}, is ${column.type}`;
  if (change.kind === "none") return [renamed(table, column, `${wrong}, and cannot be changed into that`)];

  const { before, actions, note } = change;
  const statements = [before ?? [], actions]
    .filter((parts) => parts.length > 0)
    .map((parts) => alter(table, parts));
  const notJson = counts.notJson[column.quoted] ?? 0;
  if (notJson > 0) {
    return [
      {
        text: `${wrong}, and in ${rowCount(notJson)} it holds no JSON that jsonb can hold. Mend that, then run:`,
        statements,
      },
    ];
  }
  const held = heldBy(column, table, statements);
  if (held !== undefined) return [{ ...held, text: `${wrong}, and ${held.text}` }];
  if (change.kind === "by hand") {
    return [{ text: `${wrong}. To change it${note === "" ? "" : ` (${note})`}:`, statements }];
  }
  if (!convert) return [{ text: `${wrong}. --convert changes it (${note}). Or run:`, statements }];
  // PostgreSQL changes these in the catalog only.
  const rewritesTable = column.baseType !== type && !(isText(column.baseType) && type === "text");
  const subject = `mcp_sessions.${name} from ${column.type} to ${type}: ${note}`;
  return [{ verb: "convert", subject, actions, rewritesTable }];
}

const isText = (baseType: string) => baseType === "text" || baseType === "character varying";

/** What keeps the column's type from being changed, or would be changed with it; undefined for nothing. */
function heldBy(
  { users, foreignKeys }: SharedColumn,
  table: SharedTable,
  statements: string[],
): Problem | undefined {
  const incoming = foreignKeys.filter((key) => !isOutgoing(key, table) && !isText(key.partner.baseType));
  if (users.length > 0) {
    const what = users.join(", ");
    return {
      text: `${what} ${users.length === 1 ? "uses" : "use"} it. Drop that, run this, make it again:`,
      statements,
    };
  }
  if (incoming.length > 0) {
    return {
      text: `foreign keys need the same type on both sides (${incoming.map(({ name }) => name).join(", ")}):`,
      statements: [
        ...incoming.map((key) => `ALTER TABLE ${key.table} DROP CONSTRAINT ${key.name}`),
        ...incoming.map(
          ({ partner: { table: other, column } }) =>
            `ALTER TABLE ${other} ALTER COLUMN ${column} TYPE text USING ${column}::text`,
        ),
        ...statements,
        ...incoming.map((key) => `ALTER TABLE ${key.table} ADD CONSTRAINT ${key.name} ${key.definition}`),
      ],
    };
  }
  if (table.children.length === 0) return undefined;
  return { text: `${table.children.join(", ")} would be changed with it. Run it yourself:`, statements };
}
