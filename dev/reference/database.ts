// database.md: every table with its columns, indexes and rules, and every routine.
import { getTableColumns, is, SQL } from "drizzle-orm";
import { getTableConfig, PgDialect, type PgColumn, PgTable } from "drizzle-orm/pg-core";
import type { RoutineFile } from "../../drizzle/files.ts";
import type { Comments } from "./comments.ts";
import { blocks, code, described, list, type Page, pageOf, table } from "./markdown.ts";
import { routinesSection } from "./routines.ts";

/**
 * @param schema the exports of src/db/schema.ts.
 * @param comments its comments.
 */
export function databasePage(
  schema: Record<string, unknown>,
  comments: Comments,
  files: readonly RoutineFile[],
): Page {
  const problems: string[] = [];
  const tables = Object.entries(schema)
    .toSorted(([a], [b]) => a.localeCompare(b, "en"))
    .flatMap(([name, value]) =>
      is(value, PgTable) ? [{ name, value, description: comments.docs.get(name) }] : [],
    );
  const rows = tables.map(({ value, description }) => {
    const { name } = getTableConfig(value);
    return [`[${code(name)}](#${name})`, description?.split(/(?<=\.) /)[0] ?? ""];
  });
  const routines = routinesSection(files);
  const text = pageOf(
    "Tables and routines",
    "`npm run db:migrate` makes all of this. All times are `timestamp with time zone`. See also `src/db/schema.ts` and `drizzle/`.",
    "## Tables",
    table(["table", "what it has"], rows),
    ...tables.map(({ name, value }) => sectionOf(name, value, comments, problems)),
    routines.text,
  );
  return { text, problems: [...problems, ...routines.problems] };
}

function sectionOf(
  exportName: string,
  value: PgTable,
  { docs, indexes: queries }: Comments,
  problems: string[],
) {
  const { name, indexes, checks, primaryKeys } = getTableConfig(value);
  const description = described(`The table ${name}`, docs.get(exportName), problems);
  const columns = Object.entries(getTableColumns(value)).map(([property, column]) => [
    code(column.name),
    column.getSQLType(),
    column.notNull ? "no" : "yes",
    defaultOf(column),
    described(`The column ${name}.${column.name}`, docs.get(`${exportName}.${property}`), problems),
  ]);
  const keys = [
    ...Object.values(getTableColumns(value))
      .filter(({ primary }) => primary)
      .map((column) => [column.name]),
    ...primaryKeys.map((key) => key.columns.map((column) => column.name)),
  ];
  return blocks(
    `### ${name}`,
    description,
    table(["column", "type", "nullable", "default", "what it says"], columns),
    keys.length === 0
      ? "No primary key."
      : `Primary key: ${keys.map((key) => key.map(code).join(", ")).join("; ")}.`,
    indexes.length === 0 ? undefined : "Indexes, each with the queries that it is for:",
    list(
      indexes.map(({ config }) => {
        const index = String(config.name);
        const rows = config.where === undefined ? "" : `, where ${textOf(config.where)}`;
        return `${code(index)} on ${config.columns.map(textOf).join(", ")}${rows}. ${described(`The index ${index}`, queries.get(index), problems)}`;
      }),
    ),
    checks.length === 0 ? undefined : "Checks:",
    list(checks.map((check) => `${code(check.name)}: ${textOf(check.value)}`)),
  );
}

const dialect = new PgDialect();

/** A column or an expression, as code; without the name of its table. */
function textOf(part: unknown): string {
  const text = is(part, SQL) ? dialect.sqlToQuery(part).sql : String(Object(part).name);
  return code(
    text
      .replaceAll(/"\w+"\."(\w+)"/g, "$1")
      .replaceAll('"', "")
      .replaceAll(/\s+/g, " "),
  );
}

function defaultOf(column: PgColumn): string {
  if (column.generatedIdentity !== undefined) return "the next number";
  if (is(column.default, SQL)) return textOf(column.default);
  return column.default === undefined ? "" : code(JSON.stringify(column.default));
}
