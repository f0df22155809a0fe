// Cleanup deletes what has outlived its request, and nothing that a client may still come for.
import { expect, test } from "vitest";
import { bearer, createDatabase, fire, keys, REGULAR_CRON, send } from "../support/worker.ts";

test("a run deletes what has expired, in batches, and counts it", async () => {
  const database = await createDatabase();
  await database.query(`
    INSERT INTO mcp_streams (stream, session_id, expires_at)
    SELECT 's' || n, 'key', now() + (n - 2500) * interval '1 hour' FROM generate_series(1, 5000) AS n`);
  await database.query(`
    INSERT INTO mcp_stream_events (stream, event, message, expires_at)
    SELECT 's' || n, 1, '{}', now() + (n - 2500) * interval '1 hour' FROM generate_series(1, 5000) AS n`);
  await database.query(`
    INSERT INTO mcp_questions (question, stream, session_id, key, expires_at)
    SELECT 'q' || n, 's' || n, 'key', 'k', now() + (n - 2500) * interval '1 hour' FROM generate_series(1, 5000) AS n`);
  await fire(database.env(), REGULAR_CRON);
  for (const table of ["mcp_streams", "mcp_stream_events", "mcp_questions"]) {
    expect(
      await database.query(
        `SELECT count(*)::int AS rows, count(*) FILTER (WHERE expires_at <= now())::int AS expired FROM ${table}`,
      ),
    ).toEqual([{ rows: 2500, expired: 0 }]);
  }
  expect(
    await database.query(
      "SELECT sum(value)::int AS total FROM mcp_session_totals WHERE name = 'stream_rows_deleted'",
    ),
  ).toEqual([{ total: 7500 }]);
});

test("questions and answers are counted where an operator sees them", async () => {
  const database = await createDatabase();
  const env = database.env();
  await database.query(
    "INSERT INTO mcp_sessions (session_id, principal, expires_at) VALUES ('k', 'me', now() + interval '1 day')",
  );
  await database.query(
    "SELECT mcp_append_events('s', 'k', 1, ARRAY['{}', '{}'], false, 600, 64, '{}', ARRAY['a', 'b'], ARRAY['x', 'y'])",
  );
  // The second answer to it counts for nothing.
  for (const times of [1, 2])
    await database.query(`SELECT mcp_answer_question('a', 'k', '{"result":{}}', 'claim ${times}')`);
  const metrics = await (await send(env, "/metrics", bearer(keys.metrics))).text();
  expect(metrics).toContain('mcp_session_questions_total{state="asked"} 2\n');
  expect(metrics).toContain('mcp_session_questions_total{state="answered"} 1\n');
});
