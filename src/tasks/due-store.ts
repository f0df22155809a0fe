// Finds tasks whose lease is dead, or that nobody has taken: one statement, for cron events and for a client that asks.
import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Database } from "../db/client.ts";
import { START_SECONDS } from "./store.ts";
import { LOST_ERROR } from "./task.ts";

export interface DueTasks {
  /** Those that must be started now. Nobody else is told of them for the next 30 s. */
  keys: string[];
  /** How many were not to be tried again, or not so often, and have failed. */
  lost: number;
  /** When the first of the others, and of these again, is due; null when none is at work. */
  nextDue: Date | null;
}

export interface DueStore {
  /** @param key of one task; left out: of all, the longest due first. @throws DatabaseFault */
  due: (which: { limit: number; key?: string }) => Promise<DueTasks>;
}

const found = z.tuple([
  z
    .object({ tasks: z.string(), lost: z.number(), next_due: z.coerce.number().nullable() })
    .transform(({ tasks, lost, next_due: nextDue }) => ({
      keys: z.array(z.string()).parse(JSON.parse(tasks)),
      lost,
      nextDue: nextDue === null ? null : new Date(nextDue),
    })),
]);

export function createDueStore(database: Database, { timeoutMs }: { timeoutMs: number }): DueStore {
  return {
    async due({ limit, key }) {
      // Repeated after a lost answer it does not find the same ones: they are due again soon.
      const operation = { name: "finding due tasks", budgetMs: timeoutMs, isIdempotent: true };
      return database.run(operation, async (db) => {
        const { rows } = await db.execute(
          sql`SELECT array_to_json(tasks)::text AS tasks, lost, floor(extract(epoch FROM next_due) * 1000) AS next_due
                FROM mcp_find_due_tasks(${limit}, ${key ?? null}, ${START_SECONDS},
                                        ${JSON.stringify(LOST_ERROR)})`,
        );
        return found.parse(rows)[0];
      });
    },
  };
}
