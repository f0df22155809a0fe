// Whether this project has used the database before.
import type { Catalog } from "./catalog.ts";
import type { SqlFiles } from "./files.ts";
import type { Journal } from "./journal.ts";

/** Also when somebody has dropped some of its tables: an ORM drops all that it does not know, and leaves routines. */
export function wasOurs({ tables, routines }: Catalog, journal: Journal, files: SqlFiles): boolean {
  return (
    journal.size > 0 ||
    // Every version of this project has made this table.
    tables.some(({ name }) => name === "mcp_cleanup_runs") ||
    files.routines.some(({ name, body }) =>
      routines.some((found) => found.name === name && body !== "" && found.definition.includes(body)),
    )
  );
}
