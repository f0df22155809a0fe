// Which schema a connection's tables are in. The Worker names its tables without a schema, so the search_path decides.
import { type Client, escapeIdentifier } from "pg";
import { declaredTables } from "./catalog.ts";

export interface Place {
  schema: string;
  /** What an operator should know about this choice. */
  notes: string[];
}

/**
 * Finds the schema of mcp_sessions, or of a table made now, and makes it the only one that the connection sees. The
 * temporary schema comes last, so that nobody's temporary table stands in for one of ours (PostgreSQL, "Writing SECURITY
 * DEFINER Functions Safely").
 * @throws Error when the search_path names no schema that exists.
 */
export async function enterPlace(client: Client): Promise<Place> {
  // A role or a database may have others. Our texts are written for these, and definitions are compared by their text.
  await client.query(
    "SELECT set_config('standard_conforming_strings', 'on', false), set_config('quote_all_identifiers', 'off', false)",
  );
  const { rows } = await client.query<{
    path: string;
    source: string;
    schema: string | null;
    all: string[];
  }>(`
    SELECT setting AS path, source, ARRAY(SELECT nspname::text FROM pg_namespace) AS all,
           coalesce((SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE c.oid = to_regclass('mcp_sessions')), current_schema())::text AS schema
      FROM pg_settings WHERE name = 'search_path'`);
  const [found] = rows;
  const schema = found?.schema;
  const first = schemasOf(found?.path ?? "").find((name) => name !== "$user");
  if (schema == null || (first !== undefined && !found?.all.includes(first))) {
    throw new Error(`the search_path names a schema that does not exist: ${first ?? "it is empty"}`);
  }
  await refuseShadows(client, schema);
  await client.query("SELECT set_config('search_path', $1, false)", [`${escapeIdentifier(schema)}, pg_temp`]);
  const others = await sessionTables(client, schema);
  const isThere = others.some((table) => table.isHere && table.name === "mcp_sessions");
  return {
    schema,
    notes: [
      ...(found?.source === "client"
        ? [
            "the connection string sets the search_path, and the Worker ignores that. Set it for the role: " +
              `ALTER ROLE … SET search_path = ${escapeIdentifier(schema)}`,
          ]
        : []),
      ...others
        .filter((table) => !table.isHere && table.name === "mcp_sessions")
        .map((table) => `schema ${table.schema} has an mcp_sessions, too; this is about schema ${schema}`),
      ...others
        .filter((table) => table.isHere && table.name !== "mcp_sessions")
        .map(
          ({ quoted }) =>
            `${quoted} is not mcp_sessions to PostgreSQL, and stays as it is` +
            (isThere ? "" : `. To adopt it, run before: ALTER TABLE ${quoted} RENAME TO mcp_sessions`),
        ),
    ],
  };
}

/** @throws Error when the Worker would find something else than ours by the name of a table of ours. */
async function refuseShadows(client: Client, schema: string): Promise<void> {
  const { rows } = await client.query<{ name: string; place: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name, quote_ident($2::text) AS place
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = ANY ($1)
        AND array_position(current_schemas(false), n.nspname) < array_position(current_schemas(false), $2::text::name)
      ORDER BY 1`,
    [declaredTables.map(({ name }) => name), schema],
  );
  const [first] = rows;
  if (first === undefined) return;
  const names = rows.map(({ name }) => name).join(", ");
  throw new Error(
    `the search_path has a schema before ${first.place} in which the Worker would find other tables by the names of ours: ` +
      `${names}. Give those other names, or put ${first.place} first: ALTER ROLE … SET search_path = …`,
  );
}

interface SessionTable {
  schema: string;
  name: string;
  quoted: string;
  /** It is in the schema that the Worker uses. */
  isHere: boolean;
}

/** Tables and views named mcp_sessions in any spelling, such as "McpSessions"; not those of other connections alone. */
async function sessionTables(client: Client, schema: string): Promise<SessionTable[]> {
  const { rows } = await client.query<SessionTable>(
    `SELECT n.nspname AS schema, c.relname AS name, n.nspname = $1 AS "isHere",
            concat_ws('.', CASE WHEN n.nspname <> 'public' THEN quote_ident(n.nspname) END, quote_ident(c.relname)) AS quoted
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE lower(replace(c.relname, '_', '')) = 'mcpsessions' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND c.relpersistence <> 't'
      ORDER BY 1, 2`,
    [schema],
  );
  return rows;
}

/** The names in a search_path. PostgreSQL reads those without quotes in lower case. */
function schemasOf(path: string): string[] {
  return [...path.matchAll(/"((?:[^"]|"")*)"|[^\s,]+/g)].map(
    ([name, quoted]) => quoted?.replaceAll('""', '"') ?? name.toLowerCase(),
  );
}
