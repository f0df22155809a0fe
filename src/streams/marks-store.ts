// All SQL of marks that are made once.
import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Database } from "../db/client.ts";

export interface MarksStore {
  /**
   * Makes a mark that lasts so many seconds. One round trip.
   * @returns false when it has been made before, or when its owner has MARKS_PER_OWNER.
   * @throws DatabaseFault
   */
  make(mark: string, owner: string, ttlSeconds: number): Promise<boolean>;
}

/** As many calls of one principal can wait for an answer that is good for one use, and be answered. */
export const MARKS_PER_OWNER = 10_000;

const made = z.tuple([z.object({ is_made: z.boolean() })]);

export function createMarksStore(database: Database, { timeoutMs }: { timeoutMs: number }): MarksStore {
  return {
    async make(mark, owner, ttlSeconds) {
      const claim = crypto.randomUUID();
      const operation = { name: "making a mark", budgetMs: timeoutMs, isIdempotent: true };
      const { rows } = await database.run(operation, (db) =>
        db.execute(
          sql`SELECT mcp_make_mark(${mark}, ${owner}, ${claim}, ${ttlSeconds}, ${MARKS_PER_OWNER}) AS is_made`,
        ),
      );
      return made.parse(rows)[0].is_made;
    },
  };
}
