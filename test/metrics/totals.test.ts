// The sums of /metrics against what the tables really lost, while runs are killed, repeated and run into each other.
import { expect, test } from "vitest";
import { createDatabase, fire, IMMEDIATE_CRON, REGULAR_CRON, setFaults } from "../support/worker.ts";

const RUNS = 200;

const pick = <T>(choices: readonly T[]): T => {
  const chosen = choices[Math.floor(Math.random() * choices.length)];
  if (chosen === undefined) throw new Error("nothing to choose from");
  return chosen;
};

test("after 200 runs with kills, lost answers, overlaps and pruning, every sum is exact", async () => {
  const database = await createDatabase();
  const { query } = database;
  const env = database.env({
    MCP_AGGRESSIVE_CLEANUP: "true",
    MCP_CLEANUP_BATCH_SIZE: "7",
    MCP_CLEANUP_RUN_RETENTION_DAYS: "1",
  });
  // The truth: what was pruned, and what was deleted.
  await query("CREATE TABLE pruned (LIKE mcp_cleanup_runs)");
  await query(`CREATE FUNCTION note_pruned() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO pruned SELECT OLD.*; RETURN NULL; END'`);
  await query(
    "CREATE TRIGGER note_pruned AFTER DELETE ON mcp_cleanup_runs FOR EACH ROW EXECUTE FUNCTION note_pruned()",
  );
  let added = 0;
  let failed = 0;
  const clean = (cron: string, i: number) =>
    fire(env, cron, new Date(Date.now() - i)).catch(() => (failed += 1));
  const upsets = {
    none: async () => {},
    lost: () => setFaults({ fault: { kind: "lost-after-commit" }, times: 1, matching: "CALL" }),
    reset: () => setFaults({ fault: { kind: "reset" }, times: 1, matching: "CALL" }),
    prune: () =>
      query(
        "UPDATE mcp_cleanup_runs SET started_at = now() - interval '2 days' WHERE random() < 0.3 AND outcome <> 'running'",
      ),
    // The first backend that is in a run within the next 50 ms, a moment into it: a run takes a few milliseconds.
    kill: async () => {
      void query(`DO $$ BEGIN
        FOR i IN 1..50 LOOP
          PERFORM pg_stat_clear_snapshot();
          PERFORM pg_sleep(random() * 0.003), pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE query LIKE 'CALL mcp_cleanup%' AND datname = current_database() AND state <> 'idle' LIMIT 1;
          EXIT WHEN FOUND;
          PERFORM pg_sleep(0.001);
        END LOOP;
      END $$`).catch(
        () => undefined, // The test may have ended.
      );
    },
  };
  for (let i = 0; i < RUNS; i += 2) {
    const count = Math.floor(Math.random() * 60);
    await query(
      `INSERT INTO mcp_sessions (session_id, expires_at)
       SELECT $1 || n, now() - random() * interval '3 hours' FROM generate_series(1, $2::int) n`,
      [`run-${i}-`, count],
    );
    added += count;
    await upsets[pick(["none", "lost", "reset", "prune"] as const)]();
    const runs = [clean(pick([REGULAR_CRON, IMMEDIATE_CRON]), i), clean(REGULAR_CRON, i + 1)];
    if (Math.random() < 0.8) await upsets.kill();
    await Promise.all(runs);
    await setFaults();
  }
  // The last run finds those that were killed.
  await fire(env, REGULAR_CRON);

  const [{ left } = {}] = await query("SELECT count(*)::int AS left FROM mcp_sessions");
  const totals = Object.fromEntries(
    (await query("SELECT name, sum(value) AS value FROM mcp_session_totals GROUP BY name")).map(
      ({ name, value }) => [String(name), Number(value)],
    ),
  );
  const sum = (prefix: string) =>
    Object.entries(totals)
      .filter(([name]) => name.startsWith(prefix))
      .reduce((all, [, value]) => all + value, 0);
  expect(sum("sessions_deleted/")).toBe(added - Number(left));
  const records = await query(
    `SELECT 'cleanup_runs/' || tier || '/' || outcome AS name, count(*)::int AS value
       FROM (SELECT tier, outcome FROM mcp_cleanup_runs UNION ALL SELECT tier, outcome FROM pruned) AS every
      GROUP BY 1`,
  );
  expect(
    Object.fromEntries(Object.entries(totals).filter(([name]) => name.startsWith("cleanup_runs/"))),
  ).toEqual(Object.fromEntries(records.map(({ name, value }) => [name, value])));
  const interrupted = await query(
    "SELECT FROM (SELECT error_code FROM mcp_cleanup_runs UNION ALL SELECT error_code FROM pruned) AS every WHERE error_code = 'interrupted'",
  );
  const ran =
    sum("cleanup_runs/") - sum("cleanup_runs/regular/skipped") - sum("cleanup_runs/immediate/skipped");
  expect(sum("cleanup_duration/")).toBe(ran - interrupted.length);
  // Of every kind there was some, or this shows nothing.
  expect(sum("cleanup_runs/")).toBeGreaterThan(RUNS);
  expect((await query("SELECT FROM pruned")).length).toBeGreaterThan(0);
  expect(sum("cleanup_runs/regular/completed")).toBeGreaterThan(0);
  expect(failed + interrupted.length).toBeGreaterThan(0);
});
