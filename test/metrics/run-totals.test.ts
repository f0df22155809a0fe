// What the record of a cleanup run adds to the totals, to the millisecond.
import { expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const BOUNDS_MS = [10, 50, 100, 500, 1000, 5000, 20_000, 60_000, 300_000];

/** Records a run of the regular tier. */
const record = ({ query }: TestDatabase, outcome: string, ms: number, more: Record<string, unknown> = {}) => {
  const row: Record<string, unknown> = { error_code: null, deleted: 0, ...more };
  return query(
    `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, finished_at, outcome, error_code, deleted)
     SELECT 'regular', 'cron', now(), now(), now(), now() + $1 * interval '1 ms', $2, $3, $4`,
    [ms, outcome, row["error_code"], row["deleted"]],
  );
};

async function totals({ query }: TestDatabase): Promise<Record<string, number>> {
  const rows = await query(
    "SELECT name, sum(value)::int AS sum FROM mcp_session_totals WHERE value > 0 GROUP BY name ORDER BY name",
  );
  return Object.fromEntries(rows.map(({ name, sum }) => [String(name), Number(sum)]));
}

test.each([...BOUNDS_MS.entries()])(
  "bucket %i holds a run of %i ms, and the next one a run of a millisecond more",
  async (i, bound) => {
    const database = await createDatabase();
    await record(database, "completed", bound);
    await record(database, "completed", bound + 1);
    expect(await totals(database)).toEqual({
      [`cleanup_duration/regular/${bound}`]: 1,
      [`cleanup_duration/regular/${BOUNDS_MS[i + 1] ?? "more"}`]: 1,
      "cleanup_duration_ms/regular": 2 * bound + 1,
      "cleanup_runs/regular/completed": 2,
    });
  },
);

test("a skipped run has no duration, nor has one that was interrupted; another failed run has one", async () => {
  const database = await createDatabase();
  await record(database, "skipped", 7, { error_code: "busy" });
  await record(database, "failed", 7, { error_code: "interrupted" });
  await record(database, "failed", 7, { error_code: "57014" });
  expect(await totals(database)).toEqual({
    "cleanup_duration/regular/10": 1,
    "cleanup_duration_ms/regular": 7,
    "cleanup_runs/regular/failed": 2,
    "cleanup_runs/regular/skipped": 1,
  });
});

test("a run counts once, when it is over, and what it deletes counts with each batch", async () => {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO mcp_cleanup_runs (tier, trigger, scheduled_at, cutoff, started_at, outcome, deleted)
     VALUES ('regular', 'cron', now(), now(), now(), 'running', 3)`,
  );
  expect(await totals(database)).toEqual({ "sessions_deleted/regular": 3 });
  await database.query("UPDATE mcp_cleanup_runs SET deleted = 5");
  expect(await totals(database)).toEqual({ "sessions_deleted/regular": 5 });
  await database.query(
    "UPDATE mcp_cleanup_runs SET deleted = 6, outcome = 'completed', finished_at = started_at + interval '2 ms'",
  );
  const over = {
    "cleanup_duration/regular/10": 1,
    "cleanup_duration_ms/regular": 2,
    "cleanup_runs/regular/completed": 1,
    "sessions_deleted/regular": 6,
  };
  expect(await totals(database)).toEqual(over);
  // A record that is changed after its end is no second run.
  await database.query("UPDATE mcp_cleanup_runs SET outcome = 'partial'");
  expect(await totals(database)).toEqual(over);
});
