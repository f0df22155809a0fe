// The table of handles. Its comments are for the reference manual, as in schema.ts.
import { index, integer, pgTable, text, timestamp } from "drizzle-orm/pg-core";

const timestamptz = (name: string) => timestamp(name, { withTimezone: true });

/**
 * What a tool keeps for a principal, with MCP_HANDLES: one row for each handle. The id of a handle goes to the client, and comes back
 * as an argument of a tool. The row has its SHA-256 only, so a stolen table or backup gives no handle away.
 */
export const mcpHandles = pgTable(
  "mcp_handles",
  {
    /** The key: the hex SHA-256 of the id. */
    handleHash: text("handle_hash").primaryKey(),
    /** Whose it is: a principal. Nobody else may use it. */
    owner: text("owner").notNull(),
    /** What it is, in the word of the server's author, such as `cart`. */
    kind: text("kind").notNull(),
    /** The value as JSON text. `null` once the handle was ended. */
    value: text("value").notNull(),
    /** 1, and one more with each change. 0: it was ended. */
    version: integer("version").notNull().default(1),
    /** The names of the last changes, with their versions. A change that is sent again finds its name here, and changes nothing. */
    writes: text("writes").array(),
    /** Each use moves `expires_at` so far into the future. NULL: no use moves it. */
    slidingSeconds: integer("sliding_seconds"),
    /** When it was made. */
    createdAt: timestamptz("created_at").notNull(),
    /** When it was used last, to a minute or to a tenth of `sliding_seconds`. */
    lastUsedAt: timestamptz("last_used_at").notNull(),
    /** When it expires. Ending sets it, too. Then the row may be deleted. */
    expiresAt: timestamptz("expires_at").notNull(),
  },
  (table) => [
    // Handles: those of a principal.
    index("idx_mcp_handles_by_owner").on(table.owner),
    // Cleanup: the next batch.
    index("idx_mcp_handles_expires").on(table.expiresAt),
  ],
);
