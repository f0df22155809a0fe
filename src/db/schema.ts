// The tables, as the migrations in drizzle/ make them.
import { sql } from "drizzle-orm";
import {
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

const timestamptz = (name: string) => timestamp(name, { withTimezone: true });

/**
 * One row a session. A session expires at `expires_at`; NULL means never. The key of a session that was opened
 * here is the SHA-256 of its id, so that nobody can use what stands in the table or in a backup of it.
 *
 * A Python server may keep this very table and write to it, so every column but the key stays nullable with
 * a default, there are no CHECKs, and columns that are not listed here are not ours to touch.
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
    // From here on NULL in a row that another server keeps.
    /** Who opened the session, and alone may use it. */
    principal: text("principal"),
    /** The MCP revision that was negotiated. */
    protocolVersion: text("protocol_version"),
    /** What the client asked for with logging/setLevel. */
    logLevel: text("log_level"),
    /** The session's own document, for tools. */
    state: jsonb("state"),
    /** The last writes of `state`, each by a name of its own: a write that is repeated finds itself here. */
    stateWrites: text("state_writes").array(),
    /** When the session was ended; it has expired then, too. */
    endedAt: timestamptz("ended_at"),
    /** By whom: `client`, `operator` or `evicted`. */
    endReason: text("end_reason"),
  },
  (table) => [
    // Cleanup: the next batch of expired sessions, oldest first. The name is the one an adopted table has.
    index("idx_mcp_sessions_expires").on(table.expiresAt),
    // Tools: the sessions of a principal.
    index("idx_mcp_sessions_principal").on(table.principal),
    // Administration: one session by its handle, and pages in the order of the handles.
    index("idx_mcp_sessions_handle").on(sql`mcp_session_handle(${table.sessionId})`),
  ],
);

/** One row a cleanup run: what it was asked, what it did, how it ended. */
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
    check("mcp_cleanup_runs_tier", sql`${table.tier} IN ('regular', 'immediate')`),
    check("mcp_cleanup_runs_trigger", sql`${table.trigger} IN ('cron', 'manual')`),
    check(
      "mcp_cleanup_runs_outcome",
      sql`${table.outcome} IN ('running', 'completed', 'partial', 'skipped', 'failed')`,
    ),
    check("mcp_cleanup_runs_finished", sql`(${table.outcome} = 'running') = (${table.finishedAt} IS NULL)`),
    check("mcp_cleanup_runs_counts", sql`${table.deleted} >= 0 AND ${table.batches} >= 0`),
    check(
      "mcp_cleanup_runs_error_code",
      sql`(${table.outcome} IN ('skipped', 'failed')) = (${table.errorCode} IS NOT NULL)`,
    ),
  ],
);

/**
 * What has happened so far: sums that only grow, written in the transaction of what they count. A sum stands in
 * several rows, one for a share of the backends each, so that those who add to it at once do not wait for each other.
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
 * How many rows mcp_sessions has is the sum of this: every statement that adds rows to it or takes some away, whoever
 * runs it, adds a row here by a trigger. Nobody waits for another to add one. A cleanup run puts them together.
 */
export const mcpSessionChanges = pgTable("mcp_session_changes", {
  /** Sessions that were added, or, below zero, taken away. */
  change: bigint("change", { mode: "number" }).notNull(),
});
