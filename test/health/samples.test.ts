// What is counted when more than 100,000 sessions have expired: estimates from hundreds of random pages, which differ by some
// percent from what there is.
import { beforeEach, describe, expect, test } from "vitest";
import { atOneInstant } from "../support/instant.ts";
import { addChild } from "../support/rows.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
});
/** `at` and `ended` are SQL, in which i is the number of the row. */
const rows = (count: number, at: string, ended = "NULL", table = "mcp_sessions") =>
  `INSERT INTO ${table} (session_id, principal, expires_at, ended_at)
   SELECT gen_random_uuid(), 'me', ${at}, ${ended} FROM generate_series(1, ${count}) AS i`;
const changes = (more: number) =>
  `INSERT INTO mcp_session_changes (transaction_id, change_number, change) VALUES (1, 1, ${more})`;
const MOMENT = "interval '1 us'";

describe("the census", () => {
  const census = (...statements: string[]) =>
    atOneInstant(
      database,
      statements,
      `SELECT json_build_object('total', total, 'expired', expired, 'at_least', expired_at_least, 'oldest', oldest_expired)
         FROM mcp_count_sessions(60)`,
    ) as Promise<Record<string, number | null>>;

  test("is exact up to 100,000, whatever the total", async () => {
    expect(await census(rows(100_000, "now()"), rows(1000, "NULL"), changes(50_000))).toMatchObject({
      total: 151_000,
      expired: 100_000,
      at_least: 100_000,
    });
  });

  test("is the share of the total above that, of those that expire and are in our table", async () => {
    await addChild(database);
    const {
      total,
      expired,
      at_least: atLeast,
    } = await census(
      rows(100_500, "now()"),
      rows(40_000, "NULL"),
      rows(100_000, `now() + ${MOMENT}`, "NULL", "a_child"),
      changes(139_500),
    );
    expect([total, atLeast]).toEqual([280_000, 100_001]);
    expect(expired).toBeGreaterThan(170_000);
    expect(expired).toBeLessThan(230_000);
  });

  test("of few is exact, and has none that is oldest when none has expired", async () => {
    expect(await census(rows(3, "now() + interval '1 hour'"), changes(10))).toEqual({
      total: 13,
      expired: 0,
      at_least: 0,
      oldest: null,
    });
    expect(await census(rows(2, "now()"))).toMatchObject({ total: 15, expired: 2 });
  });
});

describe("those that have expired since the last count", () => {
  const SINCE = "date_trunc('hour', now()) - interval '2 hours'";
  /** Their number by the hours ago. */
  const counted = (...statements: string[]) =>
    atOneInstant(
      database,
      [
        "DELETE FROM mcp_session_totals",
        `INSERT INTO mcp_session_totals (name, shard, value) VALUES ('expired_until', 0, extract(epoch FROM ${SINCE}) * 1000000)`,
        ...statements,
        "PERFORM mcp_count_expired()",
      ],
      `SELECT json_object_agg(floor(extract(epoch FROM now()) / 3600)::int - shard / 16, value)
         FROM mcp_session_totals WHERE name = 'sessions_expired'`,
    ) as Promise<Record<string, number> | null>;
  // An estimate of the only one that has not ended is none or several, and never one.
  const oneOf = (count: number, at: string) => [
    rows(1, "now() - interval '1 hour'"),
    rows(count - 1, at, "now()"),
  ];

  test("are counted exactly when they are 100,000", async () => {
    expect(await counted(...oneOf(100_000, "now()"))).toEqual({ 1: 1 });
  });

  test.each([
    ["with those that were counted before", SINCE],
    ["with those that are live", `now() + ${MOMENT}`],
  ])("and when they are more %s", async (_, at) => {
    expect(await counted(...oneOf(100_002, at))).toEqual({ 1: 1 });
  });

  test("are estimated when they are more", async () => {
    expect(await counted(...oneOf(100_001, "now()"))).not.toEqual({ 1: 1 });
  });

  test("are estimated in their hour, without those that were counted before, live, ended, or another program's", async () => {
    await addChild(database);
    const inHour = (hours: number) => `now() + interval '${hours} hours'`;
    // Each of the others has an hour of its own, and so many pages that a sample has one of them.
    const told = await counted(
      rows(100_500, "now()"),
      rows(6000, SINCE),
      rows(6000, inHour(1)),
      rows(6000, inHour(-1), "now()"),
      rows(6000, inHour(-1), "NULL", "a_child"),
    );
    expect(Object.keys(told ?? {})).toEqual(["0"]);
    expect(told?.[0]).toBeGreaterThan(50_000);
    expect(told?.[0]).toBeLessThan(200_000);
  });
});
