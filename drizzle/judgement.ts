// What is said of another program's mcp_sessions: what is wrong with it, and what makes it fit. Pure.
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

export const alter = ({ quoted }: SharedTable, actions: string[]) =>
  `ALTER TABLE ${quoted} ${actions.join(", ")}`;

export const rowCount = (count: number) => (count === 1 ? "1 row" : `${count} rows`);

/** A column that can only get out of the way. */
export const renamed = (table: SharedTable, { name, quoted }: SharedColumn, why: string): Problem => ({
  text: `${why}. Give it another name, and tell the other program:`,
  statements: [alter(table, [`RENAME COLUMN ${quoted} TO other_${name}`])],
});

/** Whether it is the table's own reference to another. */
export const isOutgoing = (key: ForeignKey, { quoted }: SharedTable) =>
  key.table === quoted && key.partner.table !== quoted;
