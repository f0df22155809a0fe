// The totals by the hour: what folding keeps, whatever is added meanwhile.
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import type { Client, ClientConfig } from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { migrate } from "../../drizzle/migrate.ts";
import { cleanUp, createDatabase, query, valueOf } from "./databases.ts";
import { add, fold, NAMES, openInKolkata, type Row, rowsOf, START } from "./totals.ts";

let config: ClientConfig;
let client: Client;
beforeAll(async () => {
  ({ config, client } = await openInKolkata());
});
afterAll(() => client.end());
beforeEach(() => client.query("TRUNCATE mcp_session_totals"));

/** The sums of each name by stretches of so many hours. */
function sumsBy(hours: number, rows: Row[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { name, hour, value } of rows) {
    const key = `${name} ${Math.floor(hour / hours)}`;
    sums[key] = (sums[key] ?? 0) + value;
  }
  return sums;
}

/** What is told apart at that hour: the last 25 hours, the last 29 stretches of six hours, 31 days, and all time. */
function shownAt(now: number, rows: Row[]) {
  const since = (hours: number, count: number) =>
    sumsBy(
      hours,
      rows.filter(({ hour }) => Math.floor(hour / hours) > Math.floor(now / hours) - count),
    );
  return { day: since(1, 25), week: since(6, 29), month: since(24, 31), all: sumsBy(Infinity, rows) };
}

const addition = fc.record({
  kind: fc.constant("add" as const),
  name: fc.constantFrom(...NAMES),
  // Of the hours that have passed: a late transaction adds to one long ago.
  age: fc.oneof(fc.nat(3), fc.nat(3 * 24), fc.nat(10 * 24), fc.nat(40 * 24)),
  // So many hours one after the other.
  hours: fc.integer({ min: 1, max: 30 }),
  shard: fc.nat(15),
  amount: fc.integer({ min: 1, max: 1000 }),
});
const passing = fc.record({
  kind: fc.constant("pass" as const),
  hours: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 30, max: 24 * 40 })),
});
const folding = fc.record({ kind: fc.constant("fold" as const) });

test("no sum of all time, or of a stretch that a chart shows, is changed by folding", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 4, arbitrary: addition }, passing, folding), { maxLength: 60 }),
      async (steps) => {
        await client.query("TRUNCATE mcp_session_totals");
        const truth: Row[] = [];
        let now = START;
        for (const step of steps) {
          if (step.kind === "pass") now += step.hours;
          if (step.kind === "fold") await fold(client, now);
          if (step.kind === "add") {
            const { name, age, hours, shard, amount } = step;
            for (let hour = now - age; hour <= now && hour < now - age + hours; hour += 1) {
              truth.push({ name, hour, value: amount });
              await add(client, name, hour, shard, amount);
            }
          }
          expect(shownAt(now, await rowsOf(client))).toEqual(shownAt(now, truth));
        }
      },
    ),
    { numRuns: 40 },
  );
});

// On the borders of an hour, of six hours and of a day.
test.each([0, 1, 5, 6, 23])("with a row for each hour of forty days, at %i o'clock", async (clock) => {
  const now = START + clock;
  await client.query(
    "INSERT INTO mcp_session_totals SELECT $1, hour * 16, hour % 7 FROM generate_series($2::int, $3::int) hour",
    [NAMES[0], now - 40 * 24, now],
  );
  const before = shownAt(now, await rowsOf(client));
  await fold(client, now);
  expect(shownAt(now, await rowsOf(client))).toEqual(before);
});

test("sixty days with all shards leave 180 rows of a name at most, and folding them again changes none", async () => {
  await client.query(
    `INSERT INTO mcp_session_totals SELECT name, hour * 16 + shard, 1 FROM unnest($1::text[]) name, generate_series($2::int, $3::int) hour, generate_series(0, 15) shard`,
    [NAMES, START - 60 * 24, START + 5],
  );
  await fold(client, START + 5);
  const rows = await rowsOf(client);
  // Two hours with 16 rows each, 53 hours at most, 28 quarters of a day at most, 25 days at most, and what is older.
  for (const name of NAMES) expect(rows.filter((row) => row.name === name).length).toBeLessThan(180);
  const before = await rowsOf(client);
  const versions = () =>
    valueOf(config, "SELECT jsonb_agg(xmin ORDER BY name, shard) FROM mcp_session_totals");
  const written = await versions();
  await fold(client, START + 5);
  expect(await rowsOf(client)).toEqual(before);
  expect(await versions()).toEqual(written);
});

test("a cleanup run folds, also as a role that may not delete totals", async () => {
  const owner = await createDatabase();
  await migrate(owner);
  await query(
    owner,
    "CREATE ROLE mcp_worker",
    readFileSync("ops/postgres/worker-role.sql", "utf8"),
    `INSERT INTO mcp_session_totals SELECT 'sessions_opened', ${START} * 16 + shard, 1 FROM generate_series(0, 15) shard`,
  );
  expect(await query(owner, "SET ROLE mcp_worker", cleanUp)).toMatchObject([{ outcome: "completed" }]);
  const folded = "SELECT jsonb_agg(value) FROM mcp_session_totals WHERE name = 'sessions_opened'";
  expect(await valueOf(owner, folded)).toEqual([16]);
});

test("an hour is left alone until an hour after its end, and totals of runs always are", async () => {
  for (const shard of [1, 2, 3]) {
    await add(client, "sessions_opened", START, shard, 1);
    await add(client, "cleanup_runs/regular/completed", 0, shard, 1);
  }
  await fold(client, START + 1);
  expect(await rowsOf(client)).toHaveLength(6);
  await fold(client, START + 2);
  expect(await rowsOf(client)).toEqual([
    ...[1, 2, 3].map(() => ({ name: "cleanup_runs/regular/completed", hour: 0, value: 1 })),
    { name: "sessions_opened", hour: START, value: 3 },
  ]);
});
