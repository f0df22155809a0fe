// Health and metrics answer whatever times the rows hold.
import { expect, test } from "vitest";
import { times } from "../support/times.ts";
import { bearer, createDatabase, keys, send } from "../support/worker.ts";

test("health and metrics answer whatever the times of sessions and of the last run are", async () => {
  const database = await createDatabase();
  // Only a record that is restored past its trigger can have such times.
  await database.query("ALTER TABLE mcp_cleanup_runs DISABLE TRIGGER USER");
  const env = database.env();
  for (const [time, iso] of times) {
    if (time === null) continue;
    await database.query("DELETE FROM mcp_cleanup_runs");
    await database.query(
      `INSERT INTO mcp_cleanup_runs (tier, trigger, outcome, deleted, scheduled_at, cutoff, started_at, finished_at)
       SELECT 'regular', 'manual', 'completed', 7, t, t, t, t FROM (SELECT $1::timestamptz AS t) AS t`,
      [time],
    );
    await database.query(
      `INSERT INTO mcp_sessions (session_id, created_at, last_active, expires_at, ended_at)
       SELECT t, t, t, t, t FROM (SELECT $1::timestamptz AS t) AS t`,
      [time],
    );
    const health = await send(env, "/session-health?verbose=1", bearer(keys.health));
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({
      cleanup: {
        regular: { last_run: { scheduled_at: iso, started_at: iso, finished_at: iso, deleted: 7 } },
      },
    });
    const metrics = await (await send(env, "/metrics", bearer(keys.metrics))).text();
    expect(metrics).toContain("mcp_session_store_up 1");
    const success = /^mcp_session_cleanup_last_success_timestamp_seconds{tier="regular"} (.*)$/m.exec(
      metrics,
    )?.[1];
    expect(success === undefined ? null : new Date(Number(success) * 1000).toISOString()).toBe(iso);
    expect(metrics).not.toMatch(/ (NaN|[+-]?Inf(inity)?)$/m);
  }
});
