// The tables. The migrations in drizzle/ make them, and drizzle/drift.ts holds the two together. The reference manual
// takes the comments: of each table, of each column, and of each index the queries that it is for.
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
 * A Python server may share this table and write to it. So every column but the key is nullable, there is no check
 * constraint, and columns that are not listed here are never touched.
 */
export const mcpSessions = pgTable(
  "mcp_sessions",
  {
    /** The key: the hex SHA-256 of the id. In a row of another server: whatever it uses as an id. */
    sessionId: text("session_id").primaryKey(),
    /** When the session was opened. */
    createdAt: timestamptz("created_at").defaultNow(),
    /** When the session was last touched: at most MCP_SESSION_TOUCH_INTERVAL_SECONDS before its last request. */
    lastActive: timestamptz("last_active").defaultNow(),
    /** When the session expires. NULL: never. */
    expiresAt: timestamptz("expires_at"),
    /** What the client said it can do in `initialize`. */
    capabilities: jsonb("capabilities").default({}),
    /** What the client said of itself in `initialize`, such as its name and version. */
    clientInfo: jsonb("client_info").default({}),
    // The columns from here on are NULL in a row of another server.
    /** Who opened the session. Nobody else may use it. */
    principal: text("principal"),
    /** The MCP revision that was negotiated, such as `2025-11-25`. */
    protocolVersion: text("protocol_version"),
    /** The level that the client set with `logging/setLevel`, such as `warning`. NULL: none. */
    logLevel: text("log_level"),
    /** The session's own document: JSON values by key, for tools. At most 64 KiB. NULL: empty. */
    state: jsonb("state"),
    /** How many writes `state` has had. NULL: none. */
    stateVersion: bigint("state_version", { mode: "number" }),
    /**
     * The version of each key of `state`: what `state_version` was at its last write. A key that is deleted and set again
     * gets a new version.
     */
    stateVersions: jsonb("state_versions"),
    /** The names of the last writes of `state`. A write that is sent again finds its name here, and changes nothing. */
    stateWrites: text("state_writes").array(),
    /** When the session was ended. Ending it sets `expires_at`, too. NULL: it was not. */
    endedAt: timestamptz("ended_at"),
    /** Why it was ended: `client`, `operator` or `evicted`. NULL: it was not. */
    endReason: text("end_reason"),
  },
  (table) => [
    // Cleanup: the next batch of expired sessions, oldest first. The name is the one an adopted table has.
    index("idx_mcp_sessions_expires").on(table.expiresAt),
    // Tools: the sessions of a principal. Administration: pages of them in the order of handles. Rows of another program have
    // no principal, and cost nothing here.
    index("idx_mcp_sessions_by_owner")
      .on(table.principal, sql`(${sessionHandle})`)
      .where(sql`principal IS NOT NULL`),
    // Administration: one session by its handle, and pages of all sessions in the order of handles.
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
    /** The number of the run. A later run has a higher number. */
    runId: bigint("run_id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    /** The cleanup tier that ran. */
    tier: text("tier").notNull(),
    /** What started the run: a cron event, or an operator. */
    trigger: text("trigger").notNull(),
    /** When the run was due: the cron event's time, or the caller's for a manual run. */
    scheduledAt: timestamptz("scheduled_at").notNull(),
    /** The latest `expires_at` that the run may delete. */
    cutoff: timestamptz("cutoff").notNull(),
    /** When the run began. */
    startedAt: timestamptz("started_at").notNull(),
    /** When the run ended. NULL while it is running. */
    finishedAt: timestamptz("finished_at"),
    /** How the run ended; `running` until then. */
    outcome: text("outcome").notNull(),
    /** How many sessions the run has deleted so far. */
    deleted: bigint("deleted", { mode: "number" }).notNull().default(0),
    /** In how many transactions it has deleted them. */
    batches: integer("batches").notNull().default(0),
    /** Of a failed run: its SQLSTATE, or `interrupted`. Of a skipped run: `busy` or `duplicate`. NULL for the others. */
    errorCode: text("error_code"),
    /** How many expired sessions cannot be deleted, as of the end of the run. mcp_cleanup_blocked has them. */
    blocked: bigint("blocked", { mode: "number" }).notNull().default(0),
    /** What keeps them, the most frequent first: SQLSTATEs, or `kept`. NULL when none is blocked. */
    blockedBy: text("blocked_by"),
    /** The lease of a running run: each of its transactions renews it, and holds the row's lock. */
    renewedAt: timestamptz("renewed_at"),
    /** The backend that runs it. A run whose backend has gone is dead. */
    backendPid: integer("backend_pid"),
  },
  (table) => [
    // Health: the last runs of a tier. Cleanup: has this scheduled run been done?
    index("idx_mcp_cleanup_runs_tier").on(table.tier, table.runId),
    check("mcp_cleanup_runs_tier", isOneOf(table.tier, tierNames)),
    check("mcp_cleanup_runs_trigger", isOneOf(table.trigger, triggers)),
    check("mcp_cleanup_runs_outcome", isOneOf(table.outcome, runOutcomes)),
    check("mcp_cleanup_runs_finished", sql`(${table.outcome} = ${running}) = (${table.finishedAt} IS NULL)`),
    check(
      "mcp_cleanup_runs_counts",
      sql`${table.deleted} >= 0 AND ${table.batches} >= 0 AND ${table.blocked} >= 0`,
    ),
    check(
      "mcp_cleanup_runs_error_code",
      sql`(${isOneOf(table.outcome, withErrorCode)}) = (${table.errorCode} IS NOT NULL)`,
    ),
  ],
);

/**
 * Expired sessions that could not be deleted. A run leaves them out, and tries them again after all others. One that can be
 * deleted, is gone, or is live again leaves this table.
 */
export const mcpCleanupBlocked = pgTable("mcp_cleanup_blocked", {
  /** The `session_id` of the row in mcp_sessions. */
  sessionId: text("session_id").primaryKey(),
  /** The SQLSTATE of the error; `kept` when a trigger or a rule swallows the deletion without one. */
  reason: text("reason").notNull(),
  /** When a run found it. */
  blockedAt: timestamptz("blocked_at").notNull().defaultNow(),
  /** When a run tried it last. */
  triedAt: timestamptz("tried_at").notNull().defaultNow(),
});

/**
 * Totals that only grow, such as the number of sessions opened. A total is written in the transaction of what it counts.
 * It is spread over several rows, called shards, so that transactions that add to it at once do not wait for each other.
 * The totals of sessions have rows of their own for each hour. A cleanup run folds the rows of past hours into fewer.
 */
export const mcpSessionTotals = pgTable(
  "mcp_session_totals",
  {
    /**
     * What is counted, with its labels, such as `cleanup_runs/regular/completed`. `expired_until` is a time: until when expired
     * sessions have been counted, in microseconds since 1970.
     */
    name: text("name").notNull(),
    /**
     * Which of the total's rows this is: the hour in which it was counted, in whole hours since 1970 in UTC, times 16, plus 0
     * to 15. A row of 0 to 15 is of no hour. After eight days one row is for a day, after 32 days for all days before.
     */
    shard: integer("shard").notNull(),
    /** What was counted in this row. The total is the sum over all shards. */
    value: bigint("value", { mode: "number" }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.name, table.shard] })],
);

/**
 * The number of rows in mcp_sessions is the sum of `change`. Triggers add a row here for each statement that inserts or
 * deletes sessions, whichever program runs it. No transaction waits for another. A cleanup run merges the rows.
 */
export const mcpSessionChanges = pgTable(
  "mcp_session_changes",
  {
    /** The transaction (PostgreSQL, pg_current_xact_id). Of a merged row: the one that merged it. */
    transactionId: bigint("transaction_id", { mode: "number" }).notNull(),
    /** Which change of the transaction it is, from 1. */
    changeNumber: integer("change_number").notNull(),
    /** How many sessions were inserted, minus how many were deleted. */
    change: bigint("change", { mode: "number" }).notNull(),
    /** How many rows the transaction had deleted, as its backend counts, before this delete. NULL for an insert. */
    deletesBefore: bigint("deletes_before", { mode: "number" }),
    /** How many statements are deleting: more than one when a trigger of a delete deletes, too. 0 once they are done. */
    deleteDepth: integer("delete_depth").notNull().default(0),
  },
  (table) => [
    primaryKey({ name: "mcp_session_changes_key", columns: [table.transactionId, table.changeNumber] }),
  ],
);

/**
 * What db:migrate has applied: each migration, and each function, procedure and trigger of drizzle/routines. It stands in
 * the schema of the other tables, because Drizzle's own journal is shared by all Drizzle programs of a database.
 */
export const mcpSchemaJournal = pgTable("mcp_schema_journal", {
  /** The name of the file, without its extension. */
  name: text("name").primaryKey(),
  /** The SHA-256 of the file's text, in hex. */
  sha256: text("sha256").notNull(),
  /** The SHA-256 of the definition that PostgreSQL returned just after applying a routine. NULL for a migration. */
  definitionSha256: text("definition_sha256"),
  /** When it was applied. */
  appliedAt: timestamptz("applied_at").notNull().defaultNow(),
});

export * from "./stream-schema.ts";
export * from "./task-schema.ts";
export * from "./handle-schema.ts";
