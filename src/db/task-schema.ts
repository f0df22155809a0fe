// The table of tasks. Its comments are for the reference manual, as in schema.ts.
import { sql } from "drizzle-orm";
import { check, index, integer, pgTable, text, timestamp } from "drizzle-orm/pg-core";
import { onLostChoices, taskStatuses } from "../tasks/task.ts";

const timestamptz = (name: string) => timestamp(name, { withTimezone: true });

const listOf = (values: readonly string[]) => sql.raw(values.map((value) => `'${value}'`).join(", "));

/**
 * Tasks, with MCP_TASKS: one row for each call whose result its client asks for later. A task expires at `expires_at`, whatever it
 * does then. The key is the SHA-256 of the task's id, so a stolen table or backup gives nobody a task.
 */
export const mcpTasks = pgTable(
  "mcp_tasks",
  {
    /** The hex SHA-256 of the id. */
    taskHash: text("task_hash").primaryKey(),
    /** Who made the call. Nobody else may use the task. */
    owner: text("owner").notNull(),
    /** The name of the tool. */
    tool: text("tool").notNull(),
    /** Only `working` and `input_required` ever change. */
    status: text("status").notNull().default("working"),
    /** The call, its client and its caller, as JSON text. Without token and claims. NULL when the task has ended. */
    call: text("call"),
    /** The result, or the error of a task that has failed, as JSON text. */
    result: text("result"),
    /** The last questions to the client, by their keys, as JSON text. NULL: none, or the task has ended. */
    inputRequests: text("input_requests"),
    /** The keys of those that are not answered yet. */
    inputKeys: text("input_keys").array(),
    /** All answers so far, each with its key as JSON text. NULL: none, or the task has ended. */
    inputResponses: text("input_responses").array(),
    /** What the tool has asked to be given with the answers. */
    requestState: text("request_state"),
    /** For people. */
    statusMessage: text("status_message"),
    /** A random name of who runs it, or ran it last. NULL: nobody has taken it. */
    lease: text("lease"),
    /** Until when it is known to be run or, without a lease, to be started. Then it is due. NULL: it waits for its client, or has ended. */
    leasedUntil: timestamptz("leased_until"),
    /** How many times it was begun since the client's last answers. */
    attempt: integer("attempt").notNull().default(0),
    /** How many times it may be. */
    maxAttempts: integer("max_attempts").notNull(),
    /** What becomes of it when who runs it is lost: `retry` or `fail`. */
    onLost: text("on_lost").notNull(),
    /** How long a client is asked to wait between two looks, in milliseconds. */
    pollMs: integer("poll_ms").notNull(),
    /** The number of its changes. */
    version: integer("version").notNull().default(1),
    /** When the call was made. */
    createdAt: timestamptz("created_at").notNull().defaultNow(),
    /** The last change of what its client sees. */
    updatedAt: timestamptz("updated_at").notNull().defaultNow(),
    /** When the row may be deleted. */
    expiresAt: timestamptz("expires_at").notNull(),
  },
  (table) => [
    check("mcp_tasks_status_check", sql`${table.status} IN (${listOf(taskStatuses)})`),
    check("mcp_tasks_on_lost_check", sql`${table.onLost} IN (${listOf(onLostChoices)})`),
    // Tasks: how many somebody has. Operators: those of one principal.
    index("idx_mcp_tasks_by_owner").on(table.owner),
    // Cleanup: the next batch.
    index("idx_mcp_tasks_expires").on(table.expiresAt),
    // Tasks: those that are due. Health: how many wait, and for how long.
    index("idx_mcp_tasks_alive")
      .on(table.status, table.leasedUntil)
      .where(sql`${table.status} IN ('working', 'input_required')`),
  ],
);
