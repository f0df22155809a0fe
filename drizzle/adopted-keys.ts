// What the keys of another program's mcp_sessions must be: a session is found by its id, and no key keeps a second one out.
// Pure.
import { alter, type Circumstances, type Problem, rowCount } from "./adopted-columns.ts";
import type { SharedTable, UniqueIndex } from "./shared-table.ts";

/** A key that ON CONFLICT (session_id) can use. */
export const isIdKey = ({ columns, isImmediate }: UniqueIndex) =>
  isImmediate && columns.join() === "session_id";

export function keyProblems(table: SharedTable, { counts }: Circumstances): Problem[] {
  const repeated = counts.repeated["session_id"];
  const nulls = counts.nulls["session_id"] ?? 0;
  const deferrable = table.uniqueIndexes.filter(
    ({ columns, isImmediate }) => !isImmediate && columns.join() === "session_id",
  );
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
        text: `only one new session fits, because two are equal in the unique key (${columns.join(", ")}):`,
        statements: [drop],
      })),
  ];
}

// Two sessions of one client differ in none of these.
const ALIKE = ["principal", "protocol_version", "client_info", "capabilities"];
const OF_ITS_OWN = ["session_id", "created_at", "last_active", "expires_at"];

/** Whether two new sessions have the same values in a unique key. */
function isSameInTwo(index: UniqueIndex, { columns }: SharedTable): boolean {
  return index.columns.every((name) => {
    const column = columns.find((other) => other.name === name);
    if (column === undefined || OF_ITS_OWN.includes(name)) return false;
    if (ALIKE.includes(name)) return true;
    // A function, such as nextval() or now(), has another value each time; so it is taken for granted here.
    if (column.default !== null) return !column.default.includes("(");
    return index.comparesNulls && !column.fillsItself;
  });
}
