// Time that passes for a database when a test says so: its rows become older. What the Worker reads of a clock is moved as much.
import type { CleanupReport, CleanupStore } from "../../src/cleanup/store.ts";
import type { DueStore } from "../../src/tasks/due-store.ts";
import type { TestDatabase } from "./worker.ts";

// The columns that a statement compares with the time.
const columns = {
  mcp_handles: ["expires_at", "last_used_at", "created_at"],
  mcp_tasks: ["expires_at", "leased_until", "created_at", "updated_at"],
};

export class PassingTime {
  #passedMs = 0;

  now(): Date {
    return new Date(Date.now() + this.#passedMs);
  }

  async pass(ms: number, ...databases: TestDatabase[]): Promise<void> {
    this.#passedMs += ms;
    for (const { query } of databases) {
      for (const [table, names] of Object.entries(columns)) {
        const moved = names.map((name) => `${name} = ${name} - $1 * interval '1 millisecond'`);
        await query(`UPDATE ${table} SET ${moved.join(", ")}`, [ms]);
      }
    }
  }

  readonly #later = (time: Date | null) =>
    time && new Date(Math.min(time.getTime() + this.#passedMs, 8.64e15));

  /** The cleanup of such a database. */
  cleanups(store: CleanupStore, afterRun: (report: CleanupReport, at: Date) => Promise<void>): CleanupStore {
    return {
      clean: async (tier, at) => {
        const report = await store.clean(tier, new Date(at.getTime() - this.#passedMs));
        const moved = { ...report, earliestExpiry: this.#later(report.earliestExpiry) };
        await afterRun(moved, at);
        return moved;
      },
    };
  }

  dueStore({ due }: DueStore): DueStore {
    return {
      due: async (which) => {
        const found = await due(which);
        return { ...found, nextDue: this.#later(found.nextDue) };
      },
    };
  }
}
