// Cleanup deletes handles that are dead, and no other.
import { expect, test } from "vitest";
import { heldOpen } from "../support/locks.ts";
import { storeOf } from "../support/cleanup.ts";
import {
  addSessions,
  asWorkerRole,
  createDatabase,
  fire,
  REGULAR_CRON,
  remaining,
} from "../support/worker.ts";
import { stored, TTL_SECONDS } from "./stored.ts";

test("a run deletes what has expired or was ended, in batches, and counts it", async () => {
  const { database, totals } = await stored();
  // Of three: one was ended, one has expired, one is live.
  await database.query(`
    INSERT INTO mcp_handles (handle_hash, owner, kind, value, version, created_at, last_used_at, expires_at)
    SELECT 'h' || n, 'alice', 'cart', '1', (n % 3 > 0)::int, now(), now(),
           now() + CASE WHEN n % 3 = 2 THEN interval '1 minute' ELSE n * interval '-1 second' END
      FROM generate_series(1, 4500) AS n`);
  await fire(database.env(), REGULAR_CRON);
  expect(
    await database.query(
      "SELECT count(*)::int AS rows, count(*) FILTER (WHERE expires_at <= now())::int AS expired FROM mcp_handles",
    ),
  ).toEqual([{ rows: 1500, expired: 0 }]);
  expect(await totals()).toEqual({ handles_expired: 1500 });
});

test("a run says when the first of the rest expires, also when no session is left", async () => {
  const { database, make, pass } = await stored();
  const clean = async () => (await storeOf(database).clean("regular", new Date())).earliestExpiry;
  expect(await clean()).toEqual(new Date(8_640_000_000_000_000));
  await make();
  await make({ ttlSeconds: 2 * TTL_SECONDS });
  const first = Number(await clean()) - Date.now();
  expect(first).toBeGreaterThan((TTL_SECONDS - 60) * 1000);
  expect(first).toBeLessThanOrEqual(TTL_SECONDS * 1000);
  await pass(TTL_SECONDS);
  expect(Number(await clean()) - Date.now()).toBeGreaterThan(first - 60_000);
  expect(await database.query("SELECT FROM mcp_handles")).toHaveLength(1);
});

test("a handle that is in use is left for the next run", async () => {
  const { database, make, pass } = await stored();
  const [held, free] = [await make(), await make()];
  await pass(TTL_SECONDS);
  const using = await heldOpen(database, `SELECT FROM mcp_handles WHERE handle_hash = '${held}' FOR UPDATE`);
  await fire(database.env(), REGULAR_CRON);
  expect(await database.query("SELECT handle_hash FROM mcp_handles")).toEqual([{ handle_hash: held }]);
  await using.release();
  await fire(database.env(), REGULAR_CRON, new Date(Date.now() + 1));
  expect(
    await database.query("SELECT FROM mcp_handles WHERE handle_hash = ANY ($1)", [[held, free]]),
  ).toEqual([]);
});

test("a handle whose total is locked is left for the next run, and the database is not asleep until then", async () => {
  const { database, make, pass } = await stored();
  await make();
  await pass(TTL_SECONDS);
  await database.query(
    "INSERT INTO mcp_session_totals (name, shard, value) SELECT 'handles_expired', shard, 1 FROM generate_series(0, 15) AS shard",
  );
  const held = await heldOpen(
    database,
    "SELECT FROM mcp_session_totals WHERE name = 'handles_expired' FOR UPDATE",
  );
  const clean = () => storeOf(database).clean("regular", new Date());
  const { outcome, earliestExpiry } = await clean();
  expect(outcome).toBe("completed");
  expect(Number(earliestExpiry)).toBeLessThanOrEqual(Date.now());
  expect(await database.query("SELECT FROM mcp_handles")).toHaveLength(1);
  await held.release();
  expect(await clean()).toMatchObject({ outcome: "completed" });
  expect(await database.query("SELECT FROM mcp_handles")).toEqual([]);
});

test.each([
  ["on handles", "REVOKE ALL ON mcp_handles FROM mcp_worker", 0],
  [
    "to sweep what outlives a request",
    "REVOKE EXECUTE ON FUNCTION mcp_sweep_outlived FROM PUBLIC, mcp_worker",
    1,
  ],
])("a role of the version before, without the right %s, still cleans up", async (_, revocation, left) => {
  const owner = await createDatabase();
  const role = await asWorkerRole(owner);
  await owner.query(revocation);
  await owner.query(
    "INSERT INTO mcp_streams (stream, session_id, expires_at) VALUES ('s', 'key', now() - interval '1 hour')",
  );
  await addSessions(owner, { old: new Date(0) });
  await fire(role.env(), REGULAR_CRON);
  expect(await remaining(owner)).toEqual([]);
  expect(await owner.query("SELECT FROM mcp_streams")).toHaveLength(left);
  expect(await owner.query("SELECT outcome FROM mcp_cleanup_runs")).toEqual([{ outcome: "completed" }]);
});
