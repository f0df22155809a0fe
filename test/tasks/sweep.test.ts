// Cleanup deletes tasks that have expired, whatever their status, and no other.
import { expect, test } from "vitest";
import { createDatabase, fire, REGULAR_CRON } from "../support/worker.ts";

test("a run deletes what has expired, in batches, and counts it", async () => {
  const database = await createDatabase();
  // With 2500 that expire later than now, and the last of the others a moment ago.
  await database.query(`
    INSERT INTO mcp_tasks (task_hash, owner, tool, status, max_attempts, on_lost, poll_ms, expires_at)
    SELECT 't' || n, 'alice', 'work', (ARRAY['working', 'input_required', 'completed', 'cancelled', 'failed'])[n % 5 + 1],
           1, 'fail', 1000, now() + (n - 2500) * interval '1 hour'
      FROM generate_series(1, 5000) AS n`);
  await fire(database.env(), REGULAR_CRON);
  expect(
    await database.query(
      "SELECT count(*)::int AS rows, count(DISTINCT status)::int AS statuses, min(expires_at) > now() AS is_alive FROM mcp_tasks",
    ),
  ).toEqual([{ rows: 2500, statuses: 5, is_alive: true }]);
  expect(
    await database.query(
      "SELECT name, sum(value)::int AS value FROM mcp_session_totals WHERE name LIKE 'tasks%' GROUP BY name",
    ),
  ).toEqual([{ name: "tasks_expired", value: 2500 }]);
});

test("a batch without a run that is alive deletes nothing; a batch begins with what has expired first", async () => {
  const database = await createDatabase();
  await database.query(`
    INSERT INTO mcp_tasks (task_hash, owner, tool, max_attempts, on_lost, poll_ms, expires_at)
    SELECT n::text, 'alice', 'work', 1, 'fail', 1000, now() - n * interval '1 hour' FROM generate_series(1, 3) AS n`);
  expect(await database.query("SELECT mcp_sweep_tasks(1, 10) AS swept")).toEqual([{ swept: "0" }]);
  const [{ swept } = {}] = await database.query(
    "SELECT mcp_sweep_tasks(run_id, 2) AS swept FROM mcp_begin_cleanup_run('regular', 'manual', now(), now(), now())",
  );
  expect(swept).toBe("2");
  // The one that has expired last.
  expect(await database.query("SELECT task_hash FROM mcp_tasks")).toEqual([{ task_hash: "1" }]);
});
