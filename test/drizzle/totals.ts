// Rows of mcp_session_totals at hours of a test's own.
import { Client, type ClientConfig } from "pg";
import { migrate } from "../../drizzle/migrate.ts";
import { createDatabase } from "./databases.ts";

const HOUR_MS = 3_600_000;
/** The first hour of a day. */
export const START = 480_000 - (480_000 % 24);
const atHour = (hour: number) => new Date(hour * HOUR_MS).toISOString();

/** A migrated database, and a client whose hours begin at half past: those of the totals are of UTC, whatever its time zone is. */
export async function openInKolkata(): Promise<{ config: ClientConfig; client: Client }> {
  const config = await createDatabase();
  await migrate(config);
  const client = new Client(config);
  await client.connect();
  await client.query("SET TimeZone = 'Asia/Kolkata'");
  return { config, client };
}

export const NAMES = ["sessions_opened", "sessions_ended/client", "sessions_deleted/regular"] as const;
export const fold = (client: Client, hour: number) =>
  client.query("SELECT mcp_fold_totals($1)", [atHour(hour)]);

/** As mcp_add_to_total adds at that hour. */
export const add = (client: Client, name: string, hour: number, shard: number, amount: number) =>
  client.query(
    `INSERT INTO mcp_session_totals AS t (name, shard, value) VALUES ($1, $2, $3)
     ON CONFLICT (name, shard) DO UPDATE SET value = t.value + excluded.value`,
    [name, hour * 16 + shard, amount],
  );

export interface Row {
  name: string;
  hour: number;
  value: number;
}
export const rowsOf = async (client: Client): Promise<Row[]> =>
  (
    await client.query(
      "SELECT name, shard / 16 AS hour, value::int FROM mcp_session_totals ORDER BY 1, shard",
    )
  ).rows;
