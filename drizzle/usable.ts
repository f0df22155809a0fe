// Whether the Worker can work with what db:migrate has made. Asked before it is committed.
import { type Client, escapeIdentifier } from "pg";

/** @throws Error with the reason, and what mends it; the migration is then rolled back. */
export async function proveUsable(client: Client): Promise<void> {
  const { rows } = await client.query<{ isolation: string; role: string; database: string }>(
    `SELECT current_setting('default_transaction_isolation') AS isolation, current_user AS role,
            current_database() AS database`,
  );
  const [found] = rows;
  if (found === undefined || found.isolation === "read committed") return;
  const { isolation, role, database } = found;
  throw new Error(
    `transactions of role ${role} begin with isolation ${isolation}, and the limits of sessions need read committed: ` +
      `ALTER ROLE ${escapeIdentifier(role)} IN DATABASE ${escapeIdentifier(database)} ` +
      "SET default_transaction_isolation = 'read committed'",
  );
}
