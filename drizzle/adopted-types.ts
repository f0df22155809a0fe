// What the type of a column of another program's mcp_sessions needs before this project can use it. Pure.
import { changeTo } from "./column-types.ts";
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

/** Nothing when the type fits. */
export function judgeType(
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
