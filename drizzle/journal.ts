// The journal of what has been applied. It is a table of ours beside the others: Drizzle's own journal is shared by all
// Drizzle programs of a database, so the rows of one hide the migrations of another.
import type { Client } from "pg";
import type { SqlFile } from "./files.ts";

export interface JournalEntry {
  sha256: string;
  /** Of a routine's definition in the catalog just after it was applied; null for a migration. */
  definition: string | null;
}

export type Journal = Map<string, JournalEntry>;

export async function readJournal(client: Client): Promise<Journal> {
  const { rows } = await client.query<{ name: string } & JournalEntry>(
    "SELECT name, sha256, definition_sha256 AS definition FROM mcp_schema_journal",
  );
  return new Map(rows.map(({ name, ...entry }) => [name, entry]));
}

export async function record(client: Client, { name, sha256 }: SqlFile, definition?: string): Promise<void> {
  await client.query(
    `INSERT INTO mcp_schema_journal (name, sha256, definition_sha256) VALUES ($1, $2, $3)
     ON CONFLICT (name) DO UPDATE
        SET sha256 = excluded.sha256, definition_sha256 = excluded.definition_sha256, applied_at = now()`,
    [name, sha256, definition ?? null],
  );
}

export async function forget(client: Client, name: string): Promise<void> {
  await client.query("DELETE FROM mcp_schema_journal WHERE name = $1", [name]);
}
