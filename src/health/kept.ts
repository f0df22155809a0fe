// How many handles and tasks there are: a part of the statement of the census, where they are switched on. Pure.
import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";

/** Which of them are counted. */
export interface Keeps {
  handles: boolean;
  tasks: boolean;
}

const count = z.int().min(0);
const time = z.iso.datetime().nullable();

const handles = z.object({ active: count, expired: count, oldest_expired_at: time });
const tasks = z.object({
  working: count,
  input_required: count,
  ended: count.describe("How many are completed, cancelled or failed"),
  expired: count,
  due: count,
  oldest_due_at: time,
  oldest_expired_at: time,
});

/** What the health route says of them. Up to 100,000 are counted exactly (mcp_count_handles, mcp_count_tasks). */
export const keptMembers = {
  handles: handles.optional().describe("Only with MCP_HANDLES. Up to 100,000 are counted exactly"),
  tasks: tasks.optional().describe("Only with MCP_TASKS. Up to 100,000 are counted exactly"),
};

/** Reads the column `kept`. */
export const keptCounts = z
  .object({ handles: handles.optional(), tasks: tasks.optional(), is_overdue: z.boolean().optional() })
  .default({});

/** `is_overdue`: a task has been due for too long. */
export type KeptCounts = z.infer<typeof keptCounts>;

/**
 * The column `kept`, after a comma; nothing where nothing is kept.
 * @param overdueSeconds how long a task may have been due before that is too long.
 */
export function keptColumn(keeps: Keeps, overdueSeconds: number): SQL {
  const counted = [
    ...(keeps.handles ? [sql`jsonb_build_object('handles', mcp_count_handles())`] : []),
    ...(keeps.tasks ? [sql`mcp_count_tasks(${overdueSeconds})`] : []),
  ];
  return counted.length === 0 ? sql`` : sql`, ${sql.join(counted, sql` || `)} AS kept`;
}
