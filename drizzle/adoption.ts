// Whether the tables that a database already has can be used. What can be added is added; what cannot is refused here,
// before anything is changed.
import { type Catalog, declaredTables, type Table } from "./catalog.ts";

// A server that keeps mcp_sessions by itself has these. A table without them is something else by the same name.
const ADOPTED_COLUMNS = [
  "session_id",
  "created_at",
  "last_active",
  "expires_at",
  "capabilities",
  "client_info",
];

const KINDS: Record<string, string> = {
  v: "a view",
  m: "a materialized view",
  f: "a foreign table",
  p: "a partitioned table",
  S: "a sequence",
  c: "a type",
  i: "an index",
  I: "an index",
};

/** Why the existing tables cannot be used, one sentence for each table; empty when they can. */
export function refusalsOf({ tables }: Catalog): string[] {
  return tables.flatMap((table) => {
    const problems =
      table.kind === "r" ? problemsOf(table) : [`it is ${KINDS[table.kind] ?? "no table"}, not a table`];
    return problems.length === 0
      ? []
      : [`the existing table ${table.name} cannot be adopted: ${problems.join("; ")}`];
  });
}

function problemsOf(table: Table): string[] {
  const declared = declaredTables.find(({ name }) => name === table.name);
  if (declared === undefined) return [];
  const isShared = table.name === "mcp_sessions";
  const wrongTypes = declared.columns.flatMap(({ name, type }) => {
    const found = table.columns.find((column) => column.name === name);
    const isNeeded = isShared && ADOPTED_COLUMNS.includes(name);
    if (found?.type === type || (found === undefined && !isNeeded)) return [];
    return [`${name} must be ${type}, is ${found?.type ?? "missing"}`];
  });
  const unfilled = table.columns.filter(
    ({ name, mustBeGiven }) => mustBeGiven && !declared.columns.some((column) => column.name === name),
  );
  // A table whose key column is missing has that reason already.
  const hasKeyColumns = declared.key.every((name) => table.columns.some((column) => column.name === name));
  const hasKey = declared.key.length === 0 || table.keys.some((key) => key.join() === declared.key.join());
  return [
    ...wrongTypes,
    ...(hasKey || !hasKeyColumns ? [] : [`${declared.key.join(", ")} must be its primary key, or unique`]),
    ...unfilled.map(({ name }) => `${name} is NOT NULL and needs a default, because new rows leave it out`),
  ];
}
