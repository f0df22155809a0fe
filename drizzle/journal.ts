// The journal of what has been applied. It is a table of ours beside the others: Drizzle's own journal is shared by all
// Drizzle programs of a database, so the rows of one hide the migrations of another.
import { type Client, escapeLiteral } from "pg";

export interface JournalEntry {
  sha256: string;
  /** Of the definition in the catalog of a routine or an index just after it was made; null for anything else. */
  definition: string | null;
}

export type Journal = Map<string, JournalEntry>;

/**
 * The entry that says that the sessions are still to be counted. It is committed with the triggers that count, and taken
 * away with the count, so a migration that was interrupted between the two counts them the next time.
 */
export const RECOUNT_DUE = "recount due";

const COLUMNS = ["name", "sha256", "definition_sha256"];

/** Empty when there is no journal yet, or another program has a table of its name. */
export async function readJournal(client: Client): Promise<Journal> {
  const { rowCount } = await client.query(
    "SELECT FROM pg_attribute WHERE attrelid = to_regclass('mcp_schema_journal') AND attname = ANY ($1)",
    [COLUMNS],
  );
  if (rowCount !== COLUMNS.length) return new Map();
  const { rows } = await client.query<{ name: string } & JournalEntry>(
    "SELECT name, sha256, definition_sha256 AS definition FROM mcp_schema_journal",
  );
  return new Map(rows.map(({ name, ...entry }) => [name, entry]));
}

/** The statements that write these entries and take others away. */
export function journalStatements(written: Journal, gone: string[] = []): string[] {
  const values = [...written].map(
    ([name, { sha256, definition }]) => `(${[name, sha256, definition].map(literal).join(", ")})`,
  );
  return [
    ...(values.length === 0
      ? []
      : [
          `INSERT INTO mcp_schema_journal (name, sha256, definition_sha256) VALUES ${values.join(", ")}
           ON CONFLICT (name) DO UPDATE
              SET sha256 = excluded.sha256, definition_sha256 = excluded.definition_sha256, applied_at = now()`,
        ]),
    ...(gone.length === 0
      ? []
      : [`DELETE FROM mcp_schema_journal WHERE name IN (${gone.map(literal).join(", ")})`]),
  ];
}

const literal = (value: string | null) => (value === null ? "NULL" : escapeLiteral(value));
