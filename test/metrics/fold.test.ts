// The totals by the hour, folded in the Worker's database. What charts show of them: test/drizzle/fold.test.ts.
import { beforeEach, expect, test } from "vitest";
import { atOneInstant } from "../support/instant.ts";
import { heldOpen } from "../support/locks.ts";
import { asWorkerRole, createDatabase, type TestDatabase } from "../support/worker.ts";

// An hour since 1970 that begins a day.
const NOW = 480_000;
const NAMES = ["sessions_opened", "sessions_expired"];
const at = (hour: number) => `to_timestamp(${hour} * 3600.0 + 1800)`;

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
});
const fold = () => database.query(`SELECT mcp_fold_totals(${at(NOW)})`);
const rows = async () =>
  (await database.query("SELECT name, shard, value::int FROM mcp_session_totals ORDER BY name, shard")).map(
    ({ name, shard, value }) => `${String(name)} ${String(shard)} ${String(value)}`,
  );
const add = (name: string, shard: number, value: number) =>
  database.query("INSERT INTO mcp_session_totals (name, shard, value) VALUES ($1, $2, $3)", [
    name,
    shard,
    value,
  ]);

/** The rows of a stretch become one: single hours for two days, six hours for eight, days for 32, and one before that. */
function stretchOf(hour: number): string {
  if (hour >= NOW - 1) return "";
  if (hour >= NOW - 2 * 24) return `1 ${hour}`;
  if (hour >= NOW - 8 * 24) return `6 ${Math.floor(hour / 6)}`;
  return hour >= NOW - 32 * 24 ? `24 ${Math.floor(hour / 24)}` : "before";
}

test("each stretch becomes one row at its first place, and what is of this hour or the last stays", async () => {
  const expected = new Map<string, [name: string, shard: number, value: number]>();
  for (const [nth, name] of NAMES.entries()) {
    for (let hour = NOW - 800; hour <= NOW; hour++) {
      for (const place of [2, 7]) {
        const shard = hour * 16 + place;
        const value = (nth + 1) * (hour - NOW + 900) + place;
        const stretch = stretchOf(hour);
        const key = `${name} ${stretch === "" ? shard : stretch}`;
        const [, first, sum] = expected.get(key) ?? [name, shard, 0];
        expected.set(key, [name, first, sum + value]);
      }
    }
    await database.query(
      `INSERT INTO mcp_session_totals (name, shard, value)
       SELECT $1, hour * 16 + place, $2 * (hour - ${NOW} + 900) + place
         FROM generate_series(${NOW - 800}, ${NOW}) AS hour, unnest(ARRAY[2, 7]) AS place`,
      [name, nth + 1],
    );
  }
  await fold();
  const told = [...expected.values()].toSorted(
    ([a, shardA], [b, shardB]) => (a < b ? -1 : Number(a > b)) || shardA - shardB,
  );
  expect(await rows()).toEqual(told.map((row) => row.join(" ")));
});

test("totals that no chart shows stay, and a row that is alone as well", async () => {
  await add("stream_rows_deleted", (NOW - 100) * 16, 1);
  await add("stream_rows_deleted", (NOW - 100) * 16 + 1, 2);
  await add("sessions_opened", (NOW - 100) * 16 + 5, 3);
  const before = await rows();
  await fold();
  await database.query("SELECT mcp_fold_totals()");
  expect(await rows()).toEqual(before);
});

test("a row that is locked is left out, and waited for by nobody", async () => {
  const first = (NOW - 24) * 16;
  for (const [place, value] of [1, 2, 4].entries()) await add("sessions_opened", first + place, value);
  const held = await heldOpen(
    database,
    `SELECT FROM mcp_session_totals WHERE shard = ${first} AND name = 'sessions_opened' FOR UPDATE`,
  );
  await database.query(`SELECT set_config('lock_timeout', '200', true), mcp_fold_totals(${at(NOW)})`);
  await held.release();
  expect(await rows()).toEqual([`sessions_opened ${first} 1`, `sessions_opened ${first + 1} 6`]);
});

test("a total of sessions is added to the row of its hour, another one to that of no hour, by the backend", async () => {
  const hour = "floor(extract(epoch FROM now()) / 3600)::int * 16";
  expect(
    await atOneInstant(
      database,
      ["PERFORM mcp_add_to_total('sessions_x', 2)", "PERFORM mcp_add_to_total('other', 3)"],
      `SELECT json_object_agg(name, shard - pg_backend_pid() % 16 - CASE name WHEN 'sessions_x' THEN ${hour} ELSE 0 END) FROM mcp_session_totals`,
    ),
  ).toEqual({ sessions_x: 0, other: 0 });
});

test("totals are folded for a role that may not delete them, as of now, whatever its search_path is", async () => {
  const role = await asWorkerRole(database);
  for (const path of ["public", "pg_catalog"]) {
    await database.query("DELETE FROM mcp_session_totals");
    for (const place of [2, 7]) await add("sessions_opened", (NOW - 1000) * 16 + place, place);
    await atOneInstant(
      database,
      [`PERFORM set_config('search_path', '${path}', true)`, "PERFORM public.mcp_fold_totals()"],
      "SELECT 1",
    );
    expect(await rows()).toEqual([`sessions_opened ${(NOW - 1000) * 16 + 2} 9`]);
  }
  await add("sessions_opened", (NOW - 1000) * 16 + 7, 1);
  await role.query("SELECT mcp_fold_totals()");
  expect(await rows()).toEqual([`sessions_opened ${(NOW - 1000) * 16 + 2} 10`]);
});
