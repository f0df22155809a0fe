// What the owner of a database, or another program, can do to the table of the sessions.
import { asSuperuser, nameOf, type TestDatabase } from "./worker.ts";

/** From now on this PL/pgSQL runs before each row that is inserted, updated or deleted: `events`, as SQL has them. */
export async function addTrigger(
  { query }: TestDatabase,
  events: string,
  body: string,
  table = "mcp_sessions",
): Promise<void> {
  await query(
    `CREATE FUNCTION of_owner() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN ${body}; RETURN coalesce(NEW, OLD); END $t$`,
  );
  await query(
    `CREATE TRIGGER of_owner BEFORE ${events} ON ${table} FOR EACH ROW EXECUTE FUNCTION of_owner()`,
  );
}

/** A setting of the Worker's role in this database; it holds from the next connection on. */
export async function setForRole({ url, query }: TestDatabase, setting: string): Promise<void> {
  const { username, pathname } = new URL(url);
  await query(`ALTER ROLE ${username} IN DATABASE ${pathname.slice(1)} SET ${setting}`);
  // The local Neon keeps connections, which have the setting of before.
  await query("SELECT pg_terminate_backend(pg_backend_pid())").catch(() => {});
}

/** Ends all connections to a database, so that its new settings hold. */
export const disconnect = (database: TestDatabase) =>
  asSuperuser(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${nameOf(database.url)}'`,
    database,
    "postgres",
  );

/** Takes back what `setForRole` has set. */
export async function resetRole(database: TestDatabase): Promise<void> {
  const { username } = new URL(database.url);
  await asSuperuser(`ALTER ROLE ${username} IN DATABASE ${nameOf(database.url)} RESET ALL`, database);
  await disconnect(database);
}
