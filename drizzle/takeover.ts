// What former states of this project have left in a database. They used Drizzle's migrator and its shared journal.
import type { Client } from "pg";
import type { Index, Routine } from "./catalog.ts";

/** Routines and triggers under names that are no longer in use. */
export const formerRoutines: Pick<Routine, "kind" | "name">[] = [
  { kind: "trigger", name: "mcp_count_cleanup_run" },
  { kind: "trigger", name: "mcp_note_added" },
  { kind: "trigger", name: "mcp_note_removal" },
  { kind: "trigger", name: "mcp_note_removed" },
  { kind: "trigger", name: "mcp_note_truncated" },
  { kind: "routine", name: "mcp_note_session_change" },
  { kind: "routine", name: "mcp_session_handle" },
];

/** The index of a former version that has no file, and which former migration made it. */
export const formerIndex = {
  name: "idx_mcp_sessions_principal",
  columns: "principal",
  // 0002_session_owners
  madeBy: "502b408feca92345c882a7dc64d52531d89dd6d73552034be82e87359b361469",
};

/** Whether it is the index that 0000_baseline drops. It calls a former function, which is dropped after it. */
export const isFormerHandle = ({ name, definition }: Pick<Index, "name" | "definition">) =>
  name === "idx_mcp_sessions_handle" && definition.includes("mcp_session_handle(");

/** The SHA-256 of each former migration, which is how Drizzle's journal names it. */
export const formerMigrations = [
  // 0000_sessions_and_cleanup_runs
  "cc43367e7ba19b23cf2ab6be792c1ba50339664b115b565ac02b892694e2e25c",
  // 0001_cleanup_procedure
  "e14579759dd9addc6899c72a63f8fc7a1562fe6952481a372ff0f05ba6a9f967",
  // 0002_session_owners
  "502b408feca92345c882a7dc64d52531d89dd6d73552034be82e87359b361469",
  // 0003_resume_session
  "7ff9eda7f090135d258784310fdc53f35166eda21c5ae5acc526c50988baebcd",
  // 0004_open_session
  "1e1b3db77c64e464c98e7bba4e3e0f1f2d175fe6c659fc6badef2a10b56f5857",
  // 0005_state_writes
  "f3f5ec7c43645fcb551ec6431fe8ab1fdb678436e4b55a4a08e5df683c866c1e",
  // 0006_totals_and_handles
  "d22e12c18fdbfdd4052696034e7a090bcc6419c57c52a7f4ae52a614f0dd5af3",
  // 0007_count_totals
  "886dec217662fc5c5209b6786731f0b882980cd763ecb5fc415b9df8918782f0",
  // 0008_quantised_touch
  "f9bd647726e133be0974ed7a8e344cc6f68dbc8262c29a5bda2af163f5d034ba",
  // 0009_session_changes
  "5007431a661e1861650f0c80f60efbb4747ccebd184ca69b836a9f98e740eb4a",
  // 0010_flat_counts
  "286f1ae92c306a513842ec9c6dd78da8aa9da63fbd225fee2e5de686802f4eb8",
  // 0011_cleanup_sweep
  "3dc40264a8d62802db0aaabb0034ca0add34876d9b0853720b45cb33d8aead48",
];

export interface SharedJournal {
  /** Our rows in Drizzle's journal. While they are there, Drizzle skips older migrations of others. */
  hashes: string[];
  mayDelete: boolean;
}

/** Our rows in Drizzle's shared journal; none when it is not there, or this role may not read it. */
export async function readSharedJournal(client: Client): Promise<SharedJournal> {
  // By name in the catalog: to_regclass() fails without the right to use the schema.
  const { rows: found } = await client.query<{ may_delete: boolean }>(
    `SELECT has_table_privilege(c.oid, 'DELETE') AS may_delete
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       -- As Drizzle makes it. Another tool may have a table of this name.
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'hash' AND a.atttypid = 'text'::regtype
      WHERE n.nspname = 'drizzle' AND c.relname = '__drizzle_migrations' AND c.relkind = 'r'
        AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')`,
  );
  if (found[0] === undefined) return { hashes: [], mayDelete: false };
  const { rows } = await client.query<{ hash: string }>(
    "SELECT hash FROM drizzle.__drizzle_migrations WHERE hash = ANY ($1)",
    [formerMigrations],
  );
  return { hashes: rows.map(({ hash }) => hash), mayDelete: found[0].may_delete };
}

export async function leaveSharedJournal(client: Client): Promise<void> {
  await client.query("DELETE FROM drizzle.__drizzle_migrations WHERE hash = ANY ($1)", [formerMigrations]);
}
