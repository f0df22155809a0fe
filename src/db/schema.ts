// The tables. The migrations in drizzle/ make them, and drizzle/drift.ts holds the two together.
import { sessionHandle } from "../session/conditions.ts";
import { sql } from "drizzle-orm";
import {
  type AnyPgColumn,
  bigint,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
} from "drizzle-orm/pg-core";
import { type RunOutcome, runOutcomes, tierNames, triggers } from "../cleanup/tiers.ts";

const timestamptz = (name: string) => timestamp(name, { withTimezone: true });

const isOneOf = (column: AnyPgColumn, values: readonly string[]) =>
  sql`${column} IN (${sql.raw(values.map((value) => `'${value}'`).join(", "))})`;

/**
 * One row for each session. A session expires at `expires_at`; NULL means never. A session that was opened here has the
 * SHA-256 of its id as its key, so a stolen table or backup opens no session.
 *
 * A Python server may share this table and write to it. So every column but the key is nullable, there are no CHECKs,
 * and columns that are not listed here are never touched.
 */
export const mcpSessions = pgTable(
  "mcp_sessions",
  {
    sessionId: text("session_id").primaryKey(),
    createdAt: timestamptz("created_at").defaultNow(),
    lastActive: timestamptz("last_active").defaultNow(),
    expiresAt: timestamptz("expires_at"),
    capabilities: jsonb("capabilities").default({}),
    clientInfo: jsonb("client_info").default({}),
    // The columns from here on are NULL in a row of another server.
    /** Who opened the session. Nobody else may use it. */
    principal: text("principal"),
    /** The MCP revision that was negotiated. */
    protocolVersion: text("protocol_version"),
    /** What the client asked for with logging/setLevel. */
    logLevel: text("log_level"),
    /** The session's own document, for tools. */
    state: jsonb("state"),
    /** How many writes `state` has had. */
    stateVersion: bigint("state_version", { mode: "number" }),
    /** Of each key of `state`: `state_version` at its last write. A key that is deleted and set again gets a new one. */
    stateVersions: jsonb("state_versions"),
    /** The names of the last writes of `state`. A write that is sent again finds its name here. */
    stateWrites: text("state_writes").array(),
    /** When the session was ended. Ending it sets `expires_at`, too. */
    endedAt: timestamptz("ended_at"),
    /** Why it was ended: `client`, `operator` or `evicted`. */
    endReason: text("end_reason"),
  },
  (table) => [
    // Cleanup: the next batch of expired sessions, oldest first. The name is the one an adopted table has.
    index("idx_mcp_sessions_expires").on(table.expiresAt),
    // Tools: the sessions of a principal.
    index("idx_mcp_sessions_principal").on(table.principal),
    // Administration: one session by its handle, and pages in the order of handles.
    index("idx_mcp_sessions_by_handle").on(sql`(${sessionHandle})`),
  ],
);

// Outcomes that carry a reason in `error_code`.
const withErrorCode = ["skipped", "failed"] as const satisfies readonly RunOutcome[];
const running = sql.raw(`'${"running" satisfies RunOutcome}'`);

/** One row for each cleanup run: what it was asked, what it did, how it ended. */
export const mcpCleanupRuns = pgTable(
  "mcp_cleanup_runs",
  {
    runId: bigint("run_id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    tier: text("tier").notNull(),
    trigger: text("trigger").notNull(),
    /** When the run was due: the cron event's time, or the caller's for a manual run. */
    scheduledAt: timestamptz("scheduled_at").notNull(),
    /** The latest `expires_at` that the run may delete. */
    cutoff: timestamptz("cutoff").notNull(),
    startedAt: timestamptz("started_at").notNull(),
    finishedAt: timestamptz("finished_at"),
    outcome: text("outcome").notNull(),
    deleted: bigint("deleted", { mode: "number" }).notNull().default(0),
    batches: integer("batches").notNull().default(0),
    /** SQLSTATE or `interrupted` of a failed run; `busy` or `duplicate` of a skipped one. */
    errorCode: text("error_code"),
  },
  (table) => [
    // Health: the last runs of a tier. Cleanup: has this scheduled run been done?
    index("idx_mcp_cleanup_runs_tier").on(table.tier, table.runId),
    check("mcp_cleanup_runs_tier", isOneOf(table.tier, tierNames)),
    check("mcp_cleanup_runs_trigger", isOneOf(table.trigger, triggers)),
    check("mcp_cleanup_runs_outcome", isOneOf(table.outcome, runOutcomes)),
    check("mcp_cleanup_runs_finished", sql`(${table.outcome} = ${running}) = (${table.finishedAt} IS NULL)`),
    check("mcp_cleanup_runs_counts", sql`${table.deleted} >= 0 AND ${table.batches} >= 0`),
    check(
      "mcp_cleanup_runs_error_code",
      sql`(${isOneOf(table.outcome, withErrorCode)}) = (${table.errorCode} IS NOT NULL)`,
    ),
  ],
);

/**
 * Totals that only grow, such as the number of sessions opened. A total is written in the transaction of what it counts.
 * It is spread over several rows, called shards, so that transactions that add to it at once do not wait for each other.
 */
export const mcpSessionTotals = pgTable(
  "mcp_session_totals",
  {
    /** What is counted, with its labels, such as `cleanup_runs/regular/completed`. */
    name: text("name").notNull(),
    shard: smallint("shard").notNull(),
    value: bigint("value", { mode: "number" }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.name, table.shard] })],
);

/**
 * The number of rows in mcp_sessions is the sum of this table. Triggers add a row here for each statement that inserts
 * or deletes sessions, whichever program runs it. No statement waits for another. A cleanup run merges the rows.
 */
export const mcpSessionChanges = pgTable("mcp_session_changes", {
  /** Sessions inserted; negative: sessions deleted. */
  change: bigint("change", { mode: "number" }).notNull(),
});

/**
 * What db:migrate has applied: each migration, and each function, procedure and trigger of drizzle/routines. It stands in
 * the schema of the other tables, because Drizzle's own journal is shared by all Drizzle programs of a database.
 */
export const mcpSchemaJournal = pgTable("mcp_schema_journal", {
  /** The file's name without its extension. */
  name: text("name").primaryKey(),
  /** Of the file's text. */
  sha256: text("sha256").notNull(),
  /** Of the definition that PostgreSQL returned just after applying a routine; NULL for a migration. */
  definitionSha256: text("definition_sha256"),
  appliedAt: timestamptz("applied_at").notNull().defaultNow(),
});
