// What is done to one handle, as the database does it: to that handle alone, and at the very instant of its expiry.
import { expect, test } from "vitest";
import { atOneInstant } from "../support/instant.ts";
import { heldOpen } from "../support/locks.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const add = (key: string, expiry: string, columns: Record<string, string> = {}) => {
  const all = { created_at: "now()", last_used_at: "now()", ...columns };
  return `INSERT INTO mcp_handles (handle_hash, owner, kind, value, expires_at, ${Object.keys(all).join()})
          VALUES ('${key}', 'me', 'cart', '{}', ${expiry}, ${Object.values(all).join()})`;
};
const LATER = "now() + interval '1 hour'";
const make = (max: number) =>
  `SELECT mcp_make_handle('new', 'me', 'cart', '{}', 60, false, ${max}) IS NOT NULL`;
const keys = async ({ query }: TestDatabase) =>
  (await query("SELECT handle_hash FROM mcp_handles ORDER BY 1")).map((row) => row["handle_hash"]);
const totals = async ({ query }: TestDatabase) =>
  query(
    `SELECT name, sum(value)::int AS value FROM mcp_session_totals
      WHERE name IN ('handles_ended/evicted', 'handles_expired') AND value > 0 GROUP BY name ORDER BY name`,
  );

test("what expires now makes room before what is alive, and is counted as expired", async () => {
  const database = await createDatabase();
  const rows = [
    add("alive", LATER, { last_used_at: "now() - interval '1 hour'" }),
    add("expired", "now()", { last_used_at: "now()" }),
    add("given-up", "now()", { last_used_at: "now()", version: "0" }),
  ];
  expect(await atOneInstant(database, rows, make(2))).toBe(true);
  expect(await keys(database)).toEqual(["alive", "new"]);
  expect(await totals(database)).toEqual([{ name: "handles_expired", value: 1 }]);
});

test("what is alive is evicted, the least recently used first", async () => {
  const database = await createDatabase();
  const rows = [
    add("old", LATER, { last_used_at: "now() - interval '2 hours'" }),
    add("young", LATER, { last_used_at: "now() - interval '1 hour'" }),
  ];
  expect(await atOneInstant(database, rows, make(2))).toBe(true);
  expect(await keys(database)).toEqual(["new", "young"]);
  expect(await totals(database)).toEqual([{ name: "handles_ended/evicted", value: 1 }]);
});

test("an end is heard of again by who has ended that handle, and not of another one", async () => {
  const database = await createDatabase();
  await database.query(add("one", LATER));
  await database.query(add("other", LATER));
  const end = async (key: string) =>
    (await database.query(`SELECT mcp_end_handle('${key}', 'me', 'claim') AS ended`))[0]?.["ended"];
  expect([await end("one"), await end("one"), await end("unknown")]).toEqual([true, true, false]);
  expect(await database.query("SELECT version FROM mcp_handles WHERE handle_hash = 'other'")).toEqual([
    { version: 1 },
  ]);
});

test("a change of a sliding handle moves its expiry by its whole lifetime from now", async () => {
  const database = await createDatabase();
  await database.query(add("one", "now() + interval '10 seconds'", { sliding_seconds: "3600" }));
  const [row] = await database.query(
    `SELECT round(extract(epoch FROM expires_at - now()))::int AS left FROM mcp_change_handle('one', 'me', '[]', NULL, 'claim')`,
  );
  expect(row).toEqual({ left: 3600 });
});

test("two handles of one principal are not made at once", async () => {
  const database = await createDatabase();
  const held = await heldOpen(
    database,
    "SELECT pg_advisory_xact_lock(hashtext('mcp_make_handle'), hashtext('me'))",
  );
  const hurried = database.query(`SELECT set_config('lock_timeout', '200', true), (${make(2)})`);
  await expect(hurried).rejects.toThrow("lock timeout");
  await held.release();
});

test("the handles of others do not count towards a principal's limit", async () => {
  const database = await createDatabase();
  const hers = ["a", "b"].map((key) => add(key, LATER).replace("'me'", "'she'"));
  expect(await atOneInstant(database, [...hers, add("own", LATER)], make(2))).toBe(true);
  expect(await keys(database)).toEqual(["a", "b", "new", "own"]);
  expect(
    await database.query("SELECT handle_hash FROM mcp_handles WHERE sliding_seconds IS NOT NULL"),
  ).toEqual([]);
});

test("a handle is read by its owner alone, once, and a use moves its expiry", async () => {
  const database = await createDatabase();
  await database.query(
    add("one", "now() + interval '10 seconds'", {
      sliding_seconds: "3600",
      last_used_at: "now() - interval '1 hour'",
    }),
  );
  const left = (owner: string) =>
    database.query(
      `SELECT round(extract(epoch FROM expires_at - now()))::int AS left FROM mcp_read_handle('one', '${owner}')`,
    );
  expect(await left("she")).toEqual([]);
  expect(
    await database.query("SELECT FROM mcp_handles WHERE last_used_at > now() - interval '30 minutes'"),
  ).toEqual([]);
  expect(await left("me")).toEqual([{ left: 3600 }]);
});

test.each([
  [3600, 60],
  [100, 10],
])(
  "the use of a handle that slides by %i s is written after %i s at the earliest",
  async (sliding, after) => {
    const database = await createDatabase();
    const used = (seconds: number) =>
      add(`used ${seconds}`, LATER, {
        sliding_seconds: String(sliding),
        last_used_at: `now() - interval '${seconds} seconds'`,
      });
    const read = (seconds: number) => `PERFORM mcp_read_handle('used ${seconds}', 'me')`;
    const times = [after - 0.001, after];
    expect(
      await atOneInstant(
        database,
        [...times.map(used), ...times.map(read)],
        "SELECT array_agg(handle_hash) FROM mcp_handles WHERE last_used_at = now()",
      ),
    ).toEqual([`used ${after}`]);
  },
);
