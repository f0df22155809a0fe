// The isolation level that a role's transactions have by default. The statements of this project need READ COMMITTED: the limit
// of sessions for each principal, and the cleanup, read again what others have committed while they waited.
import type { Client } from "pg";

/**
 * Why the connection's role cannot be used, with the statement that mends it; undefined when its level is right.
 * @throws the PostgreSQL error
 */
export async function isolationRefusal(client: Client): Promise<string | undefined> {
  const { rows } = await client.query<{ level: string; remedy: string }>(
    `SELECT current_setting('default_transaction_isolation') AS level,
            format('ALTER ROLE %I IN DATABASE %I SET default_transaction_isolation = %L;',
                   session_user, current_database(), 'read committed') AS remedy`,
  );
  const [found] = rows;
  // PostgreSQL treats the second as the first.
  if (found === undefined || ["read committed", "read uncommitted"].includes(found.level)) return undefined;
  return `transactions of this role are ${found.level} by default, and sessions need read committed. Run: ${found.remedy}`;
}
