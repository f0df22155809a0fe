// How many sessions a batch has: as many as it is told, and half as many for each of the last ten runs that was cancelled.
import { expect, test } from "vitest";
import { addExpired, storeOf } from "../support/cleanup.ts";
import { createDatabase } from "../support/worker.ts";

// What the records of earlier runs say, the oldest first, and how many batches of eight delete sixteen sessions then.
test.each<[string, (readonly [tier: string, code: string | null])[], number]>([
  ["no run", [], 2],
  ["one that was cancelled", [["regular", "57014"]], 4],
  ["two that were", Array.from({ length: 2 }, () => ["regular", "57014"] as const), 8],
  ["ten that were", Array.from({ length: 10 }, () => ["regular", "57014"] as const), 16],
  ["a hundred that were", Array.from({ length: 100 }, () => ["regular", "57014"] as const), 16],
  [
    "one that was, before nine others",
    [["regular", "57014"], ...Array.from({ length: 9 }, () => ["regular", null] as const)],
    4,
  ],
  [
    "one that was, before ten others",
    [["regular", "57014"], ...Array.from({ length: 10 }, () => ["regular", null] as const)],
    2,
  ],
  ["one of the other tier that was", [["immediate", "57014"]], 2],
  ["one that failed otherwise", [["regular", "42501"]], 2],
])("after %s", async (_, earlier, batches) => {
  const database = await createDatabase();
  for (const [tier, code] of earlier) {
    await database.query(
      `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, error_code)
       VALUES ($1, 'manual', now(), now(), now(), now(), CASE WHEN $2::text IS NULL THEN 'completed' ELSE 'failed' END, $2)`,
      [tier, code],
    );
  }
  await addExpired(database, 16);
  const report = await storeOf(database, { batchSize: 8 }).clean("regular", new Date());
  expect(report).toMatchObject({ outcome: "completed", deleted: 16, batches });
});
