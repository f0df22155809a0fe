// What tests of single routines need: rows as they are written, another program's table, and triggers that write down.
import type { TestDatabase } from "./worker.ts";

/** An INSERT of a live session of `me`, used ten minutes ago. @param columns as SQL expressions. */
export function insertOf(key: string, columns: Record<string, string> = {}, table = "mcp_sessions"): string {
  const all = {
    principal: "'me'",
    created_at: "now() - interval '1 hour'",
    last_active: "now() - interval '10 minutes'",
    expires_at: "now() + interval '1 hour'",
    ...columns,
  };
  return `INSERT INTO ${table} (session_id, ${Object.keys(all).join()}) VALUES ('${key}', ${Object.values(all).join()})`;
}

export async function addRows(
  { query }: TestDatabase,
  ...rows: Parameters<typeof insertOf>[]
): Promise<void> {
  for (const row of rows) await query(insertOf(...row));
}

/** `a_child`, a table of another program that inherits from ours. Its rows are none of ours. */
export const addChild = ({ query }: TestDatabase) => query("CREATE TABLE a_child () INHERITS (mcp_sessions)");

/** The same, with ten expired sessions at the places at which our table has its first ones. */
export async function addFullChild(database: TestDatabase): Promise<void> {
  // What was deleted in the template has places, too.
  await database.query("TRUNCATE mcp_sessions");
  await addChild(database);
  await database.query(
    "INSERT INTO a_child (session_id, principal, expires_at) SELECT 'child-' || i, 'me', '2026-01-03' FROM generate_series(1, 10) AS i",
  );
}
export const leftInChild = (database: TestDatabase) =>
  valueOf(database, "(SELECT count(*)::int FROM a_child)");

/** The keys of the sessions of our table for which a condition holds. */
export const keysOf = async ({ query }: TestDatabase, condition = "true") =>
  (await query(`SELECT session_id AS id FROM ONLY mcp_sessions WHERE ${condition} ORDER BY 1`)).map(
    ({ id }) => id,
  );

export const valueOf = async ({ query }: TestDatabase, expression: string) =>
  (await query(`SELECT ${expression} AS value`))[0]?.["value"];

/** All totals, by their names. */
export const totalsOf = async ({ query }: TestDatabase) =>
  Object.fromEntries(
    (await query("SELECT name, sum(value)::int FROM mcp_session_totals GROUP BY name")).map(
      ({ name, sum }) => [name, sum],
    ),
  );

/** From now on each firing of a trigger writes down a text. @param what an SQL expression. @param end of the trigger. */
export async function watch(
  { query }: TestDatabase,
  { on, each, table = "mcp_sessions", what = "'fired'", end = "RETURN NULL" }: Watched,
): Promise<void> {
  await query("CREATE TABLE IF NOT EXISTS seen (place bigint GENERATED ALWAYS AS IDENTITY, what text)");
  await query(`CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO seen (what) VALUES (${what}); ${end}; END $$`);
  await query(`CREATE TRIGGER watch ${on} ON ${table} FOR EACH ${each} EXECUTE FUNCTION watch()`);
}
interface Watched {
  on: string;
  each: "ROW" | "STATEMENT";
  table?: string;
  what?: string;
  end?: string;
}
export const seenBy = async ({ query }: TestDatabase) =>
  (await query("SELECT what FROM seen ORDER BY place")).map(({ what }) => what);
