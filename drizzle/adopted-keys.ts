// What the keys of another program's mcp_sessions must be: a session is found by its id, and no key keeps a second one out.
// Pure.
import { alter, type Circumstances, type Problem, rowCount } from "./judgement.ts";
import { declaredTables } from "./catalog.ts";
import type { SharedTable, UniqueIndex } from "./shared-table.ts";

const DECLARED = declaredTables.flatMap(({ name, columns }) =>
  name === "mcp_sessions" ? columns.map((column) => column.name) : [],
);

/** A key that ON CONFLICT (session_id) can use. */
export const isIdKey = (index: UniqueIndex) => index.isImmediate && isOfId(index);

// An index of some rows, or of an expression, is not what ON CONFLICT (session_id) means.
const isOfId = ({ columns, isWhole }: UniqueIndex) => isWhole && columns.join() === "session_id";

export function keyProblems(table: SharedTable, { counts }: Circumstances): Problem[] {
  const repeated = counts.repeated["session_id"];
  const nulls = counts.nulls["session_id"] ?? 0;
  const deferrable = table.uniqueIndexes.filter((index) => !index.isImmediate && isOfId(index));
  return [
    ...deferrable.map(({ drop }) => ({
      text: "a key of session_id is deferrable, and ON CONFLICT fails beside it:",
      statements: [drop],
    })),
    // Not asked: there is a key, or no such column.
    ...(repeated === undefined
      ? []
      : [
          {
            text:
              "session_id must be its primary key, or unique" +
              (repeated === 0
                ? ":"
                : `, and ${repeated} of its values stand in more than one row. Leave one row of each, then run:`),
            statements: [alter(table, ["ADD UNIQUE (session_id)"])],
          },
        ]),
    ...(nulls === 0
      ? []
      : [
          {
            text: `session_id is NULL in ${rowCount(nulls)}, which nothing can name. Delete or fill them, then run:`,
            statements: [alter(table, ["ALTER COLUMN session_id SET NOT NULL"])],
          },
        ]),
    ...table.uniqueIndexes
      .filter((index) => isSameInTwo(index, table))
      .map(({ columns, drop }) => ({
        text: `only one session fits, because two are equal in the unique key (${columns.join(", ")}):`,
        statements: [drop],
      })),
  ];
}

/** Whether two sessions can have the same values in a unique key. */
function isSameInTwo(index: UniqueIndex, { columns }: SharedTable): boolean {
  // A condition, or an expression, of the other program's columns may leave sessions out. The trial opens two, and sees.
  if (!index.isWhole && !index.columns.every((name) => DECLARED.includes(name))) return false;
  return index.columns.every((name) => {
    const column = columns.find((other) => other.name === name);
    if (column === undefined || name === "session_id") return false;
    // Of all that we write, only the id differs: times are rounded, and many sessions end at once.
    if (DECLARED.includes(name)) return true;
    // A function, such as nextval() or now(), has another value each time; so it is taken for granted here.
    const value = column.default ?? column.domainDefault;
    if (value !== null) return !value.includes("(");
    return index.comparesNulls && !column.fillsItself;
  });
}
