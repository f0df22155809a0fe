// Whether this project has used the database before.
import type { Catalog } from "./catalog.ts";
import type { SqlFiles } from "./files.ts";
import type { Journal } from "./journal.ts";

/** Also when somebody has dropped some of its tables: an ORM drops all that it does not know, and leaves routines. */
export function wasOurs(catalog: Catalog, journal: Journal, files: SqlFiles): boolean {
  return (
    journal.size > 0 ||
    // Every version of this project has made this table.
    catalog.tables.some(({ name }) => name === "mcp_cleanup_runs") ||
    files.routines.some(({ name }) => hasOurBody(name, catalog, files))
  );
}

/** Whether a routine or trigger of this name does what ours does today. */
export function hasOurBody(name: string, { routines }: Catalog, files: SqlFiles): boolean {
  const body = files.routines.find((file) => file.name === name)?.body ?? "";
  return body !== "" && routines.some((found) => found.name === name && found.definition.includes(body));
}
