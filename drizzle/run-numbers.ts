// The numbers of cleanup runs. Rows that were copied, by a logical replication for example, do not bring their sequence along:
// then each run would get a number that is taken.
import type { Client } from "pg";
import type { Catalog } from "./catalog.ts";

/** Whether the next run would get a number that is taken. False when this role may not see the sequence. */
export async function areRunNumbersTaken(client: Client, { tables }: Catalog): Promise<boolean> {
  const runs = tables.find(({ name }) => name === "mcp_cleanup_runs");
  if (runs?.kind !== "r" || !runs.columns.some(({ name }) => name === "run_id")) return false;
  const { rows } = await client.query<{ is_behind: boolean | null }>(
    `SELECT (SELECT max(run_id) FROM mcp_cleanup_runs) > coalesce(pg_sequence_last_value(s.name), 0) AS is_behind
       FROM (SELECT pg_get_serial_sequence('mcp_cleanup_runs', 'run_id')::regclass AS name) AS s
      WHERE has_sequence_privilege(s.name, 'USAGE, SELECT') AND has_table_privilege('mcp_cleanup_runs', 'SELECT')`,
  );
  return rows[0]?.is_behind === true;
}

/** The next run gets the number after the last record. */
export async function continueRunNumbers(client: Client): Promise<void> {
  await client.query(
    "SELECT setval(pg_get_serial_sequence('mcp_cleanup_runs', 'run_id'), max(run_id)) FROM mcp_cleanup_runs",
  );
}
