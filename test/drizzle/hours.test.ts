// The totals of sessions by the hour: what an addition writes, and what counts the sessions that expire.
import { readFileSync } from "node:fs";
import type { Client, ClientConfig } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { migrate } from "../../drizzle/migrate.ts";
import { FORMER_SQL } from "../deploy/former.ts";
import { connected } from "../support/postgres.ts";
import { createDatabase, query, valueOf, waits } from "./databases.ts";
import { openInKolkata } from "./totals.ts";

let config: ClientConfig;
let client: Client;
beforeAll(async () => {
  ({ config, client } = await openInKolkata());
});
afterAll(() => client.end());
beforeEach(() => client.query("TRUNCATE mcp_session_totals"));

test("an addition is in the row of its hour in UTC, and one of a cleanup run in no hour", async () => {
  // One transaction, so that the hour is the same for all of it.
  await client.query("BEGIN");
  await client.query(
    "SELECT mcp_add_to_total('sessions_opened', 2), mcp_add_to_total('cleanup_runs/regular/failed', 3)",
  );
  const utc = "extract(epoch FROM date_trunc('hour', now() AT TIME ZONE 'UTC'))::int / 3600";
  const { rows } = await client.query(
    `SELECT name, value::int, shard / 16 AS hour, ${utc} AS now FROM mcp_session_totals ORDER BY name`,
  );
  await client.query("COMMIT");
  const now = Number(rows[0]?.now);
  expect(rows).toEqual([
    { name: "cleanup_runs/regular/failed", value: 3, hour: 0, now },
    { name: "sessions_opened", value: 2, hour: now, now },
  ]);
});

test("whichever backend adds, the row is of this hour, and backends have rows of their own", async () => {
  const { rows: before } = await client.query("SELECT floor(extract(epoch FROM now()) / 3600)::int AS hour");
  // Process ids are given one after the other.
  for (let i = 0; i < 20; i += 1) await query(config, "SELECT mcp_add_to_total('sessions_opened', 1)");
  const { rows } = await client.query(
    `SELECT count(*)::int AS rows, min(shard / 16) AS first, max(shard / 16) AS last,
            floor(extract(epoch FROM now()) / 3600)::int AS hour FROM mcp_session_totals`,
  );
  expect(rows[0].first).toBeGreaterThanOrEqual(before[0].hour);
  expect(rows[0].last).toBeLessThanOrEqual(rows[0].hour);
  expect(rows[0].rows).toBeGreaterThan(1);
});

test("a statement that waits for the migration, with the text of the version before, adds afterwards", async () => {
  const former = await createDatabase();
  await migrate(former, FORMER_SQL);
  const textOf = (file: string) => readFileSync(`drizzle/${file}.sql`, "utf8");
  await connected(former, (migration) =>
    connected(former, async (waiting) => {
      const { rows } = await waiting.query("SELECT pg_backend_pid() AS pid");
      await migration.query("BEGIN; SET LOCAL check_function_bodies = off");
      await migration.query(textOf("routines/mcp_add_to_total"));
      await migration.query("LOCK TABLE mcp_session_totals IN ACCESS EXCLUSIVE MODE");
      const adding = waiting.query("SELECT mcp_add_to_total('sessions_opened', 1)");
      await waits(client, rows[0].pid);
      await migration.query(textOf("0002_hourly_totals"));
      await migration.query("COMMIT");
      await adding;
      await waiting.query("SELECT mcp_add_to_total('sessions_opened', 1)");
    }),
  );
  expect(await valueOf(former, "SELECT sum(value)::int FROM mcp_session_totals")).toBe(2);
});

describe("sessions that expire", () => {
  const countExpired = "SELECT mcp_count_expired()";
  const expired =
    "SELECT coalesce(sum(value), 0)::int FROM mcp_session_totals WHERE name = 'sessions_expired'";
  const insert = (id: string, expiresAt: string, endedAt = "NULL") =>
    `INSERT INTO mcp_sessions (session_id, expires_at, ended_at) VALUES ('${id}', ${expiresAt}, ${endedAt})`;

  test("are counted once, unless they were ended, and those before the first count never", async () => {
    await query(config, "DELETE FROM mcp_sessions", insert("before", "now()"), countExpired);
    expect(await valueOf(config, expired)).toBe(0);
    await query(
      config,
      insert("expired", "clock_timestamp()"),
      insert("ended", "clock_timestamp()", "clock_timestamp()"),
      insert("live", "now() + interval '1 hour'"),
      insert("never", "NULL"),
      countExpired,
      countExpired,
    );
    expect(await valueOf(config, expired)).toBe(1);
    // Another one of the same hour, as a rule.
    await query(config, insert("expired later", "clock_timestamp()"), countExpired);
    expect(await valueOf(config, expired)).toBe(2);
  });

  test("are counted in the hour in which they expired", async () => {
    await query(
      config,
      "DELETE FROM mcp_sessions",
      "INSERT INTO mcp_session_totals VALUES ('expired_until', 0, extract(epoch FROM now() - interval '3 hours') * 1000000)",
      insert("older", "now() - interval '2 hours'"),
      insert("old", "now() - interval '2 hours'"),
      insert("too old", "now() - interval '4 hours'"),
      insert("new", "now() - interval '1 hour'"),
    );
    const rows = await query(
      config,
      "BEGIN",
      countExpired,
      `SELECT shard / 16 - floor(extract(epoch FROM now()) / 3600)::int AS hour, value::int AS value
         FROM mcp_session_totals WHERE name = 'sessions_expired' ORDER BY shard`,
    );
    // The hour may change between two transactions.
    const late = Number(rows[0]?.["hour"]) + 2;
    expect(late === 0 || late === -1).toBe(true);
    expect(rows).toEqual([
      { hour: late - 2, value: 2 },
      { hour: late - 1, value: 1 },
    ]);
  });

  test("are in one hour only, also those at its first and its last microsecond; rows of child tables are not ours", async () => {
    const at = (interval: string) =>
      `date_trunc('hour', now()) - interval '3 hours' + interval '${interval}'`;
    await query(
      config,
      "TRUNCATE mcp_sessions",
      `INSERT INTO mcp_session_totals VALUES ('expired_until', 0, extract(epoch FROM ${at("0")}) * 1000000)`,
      "CREATE TABLE child () INHERITS (mcp_sessions)",
      `INSERT INTO child (session_id, expires_at) VALUES ('child', ${at("1 minute")})`,
      insert("counted before", at("0")),
      insert("first", at("1 microsecond")),
      insert("last", at("59 minutes 59.999999 seconds")),
      insert("next", at("1 hour")),
      countExpired,
      "DROP TABLE child",
    );
    const { rows } = await client.query(
      "SELECT shard / 16 AS hour, value::int FROM mcp_session_totals WHERE name = 'sessions_expired' ORDER BY shard",
    );
    const hour = rows[0]?.hour;
    expect(rows).toEqual([
      { hour, value: 2 },
      { hour: hour + 1, value: 1 },
    ]);
  });

  test.each([
    [100_000, 0],
    [100_001, 50_000],
  ])("are counted exactly up to 100,000 at once, and estimated beyond: %i", async (count, tolerance) => {
    await query(
      config,
      "TRUNCATE mcp_sessions",
      countExpired,
      // An hour may begin meanwhile.
      `INSERT INTO mcp_sessions (session_id, expires_at) SELECT i, clock_timestamp() FROM generate_series(1, ${count}) i`,
      // Those that an estimate must leave out: ended ones.
      `INSERT INTO mcp_sessions (session_id, expires_at, ended_at)
         SELECT -i, clock_timestamp(), now() FROM generate_series(1, ${count > 100_000 ? count : 0}) i`,
      countExpired,
      "TRUNCATE mcp_sessions",
    );
    const counted = Number(await valueOf(config, expired));
    // Of equal rows each page has as many: an estimate is a little off, by the last page and by how many pages were drawn.
    expect(Math.abs(counted - count)).toBeLessThanOrEqual(tolerance);
  });
});
