// What the tables, indexes, routines and triggers of a schema are, as sorted lines of text. Two databases with the same
// lines have the same schema, whatever rows they hold and in whatever order their columns were added.
import { type Client, escapeIdentifier } from "pg";

export type Part = "column" | "index" | "constraint" | "storage" | "routine" | "trigger";

/** @param schema only lines of this schema; its name is not in them, so that lines of two schemas compare. */
export async function fingerprintOf(
  client: Client,
  parts: readonly Part[],
  schema = "public",
): Promise<string[]> {
  // Definitions leave out the schema that the search_path names.
  await client.query("SELECT set_config('search_path', quote_ident($1), false)", [schema]);
  const { rows } = await client.query<{ line: string }>(query, [schema, parts]);
  const qualifier = new RegExp(`${escapeIdentifier(schema)}\\.|\\b${schema}\\.`, "g");
  return rows.map(({ line }) => line.replaceAll(qualifier, "").replaceAll(`'${schema}'`, "current"));
}

const query = `
  WITH tables AS (
    SELECT c.* FROM pg_class c WHERE c.relnamespace = quote_ident($1)::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f'))
  SELECT line FROM (
  SELECT part, concat_ws(' ', part, definition) COLLATE "C" AS line FROM (
    SELECT 'column' AS part, concat_ws(' ', t.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                                       CASE WHEN a.attnotnull THEN 'NOT NULL' END, nullif(a.attidentity, ''),
                                       pg_get_expr(d.adbin, d.adrelid)) AS definition
      FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
     UNION ALL
    SELECT 'index', pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN tables t ON t.oid = i.indrelid
     UNION ALL
    -- NOT NULL is a constraint of its own from PostgreSQL 18 on, and part of the column here.
    SELECT 'constraint', concat_ws(' ', t.relname, k.conname, pg_get_constraintdef(k.oid))
      FROM pg_constraint k JOIN tables t ON t.oid = k.conrelid WHERE k.contype <> 'n'
     UNION ALL
    SELECT 'storage', concat_ws(' ', relname, reloptions) FROM tables WHERE reloptions IS NOT NULL
     UNION ALL
    SELECT 'routine', pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = quote_ident($1)::regnamespace AND prokind IN ('f', 'p')
     UNION ALL
    SELECT 'trigger', concat_ws(' ', pg_get_triggerdef(g.oid), g.tgenabled)
      FROM pg_trigger g JOIN tables t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal) AS definitions) AS lines
   WHERE part = ANY ($2)
   ORDER BY line`;
