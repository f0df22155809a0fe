// What a run of a few sessions reads does not grow with the table.
import { expect, test } from "vitest";
import { storeOf } from "../support/cleanup.ts";
import { createDatabase } from "../support/worker.ts";

// More than the 2000 pages up to which a run counts the table again.
const ROWS = 12_000;

test.each([
  ["nothing is blocked", 0],
  ["one session is blocked", 1],
])("a run never reads the whole table when %s", async (_name, blocked) => {
  const { url, query, env } = await createDatabase();
  await query(
    `INSERT INTO mcp_sessions (session_id, client_info, expires_at)
     SELECT i::text, jsonb_build_object('padding', repeat('x', 1400)), now() + (i - 10) * interval '1 hour' - interval '1 minute'
       FROM generate_series(1, ${ROWS}) i`,
  );
  await query(`CREATE TABLE references_sessions AS SELECT session_id FROM mcp_sessions LIMIT 0`);
  await query(`ALTER TABLE references_sessions ADD FOREIGN KEY (session_id) REFERENCES mcp_sessions`);
  await query("INSERT INTO references_sessions SELECT i::text FROM generate_series(1, $1::int) i", [blocked]);
  await query("VACUUM ANALYZE mcp_sessions");
  const counters = async () => {
    const [row] = await query(
      "SELECT seq_scan::int, n_tup_del::int FROM pg_stat_user_tables WHERE relname = 'mcp_sessions'",
    );
    return { scans: Number(row?.["seq_scan"]), deleted: Number(row?.["n_tup_del"]) };
  };
  const before = await counters();

  const store = storeOf({ url, query, env });
  expect(await store.clean("regular", new Date())).toMatchObject({
    outcome: "completed",
    deleted: 10 - blocked,
  });

  // A backend reports what it did when it is idle, some seconds later.
  let after = await counters();
  while (after.deleted < before.deleted + 10 - blocked) after = await counters();
  expect(after.scans).toBe(before.scans);
});
