// What outlives a request and what does not: session state, commits, statements of clients that left,
// connections.
import { neon } from "@neondatabase/serverless";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startLocalNeon } from "../../dev/neon/server.ts";
import type { Bench } from "./support/neon.ts";
import { eventually, failureOf, startBench } from "./support/neon.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
  await bench.ask("create table drop (n int); alter table drop owner to tester");
  await bench.ask("create role other login password 'pw' role tester");
  await bench.ask(`create procedure drip(drops int, pause float8, inout dripped int) language plpgsql as $$
    begin
      for n in 1 .. drops loop
        insert into drop values (n);
        commit;
        dripped := n;
        perform pg_sleep(pause);
      end loop;
    end $$`);
});
afterAll(() => bench.stop());

const drops = async () => (await bench.ask<{ n: number }>("select n from drop")).length;
const active = () => bench.backends("state <> 'idle'");
const sleeping = () => bench.backends("query like '%pg_sleep(60)%' and state = 'active'");

describe("nothing of a session reaches the next request", () => {
  test.each([
    ["SET", "set search_path = nowhere", "select current_setting('search_path') as it", '"$user", public'],
    ["SET ROLE", "set role other", "select current_user::text as it", "tester"],
    ["a temporary table", "create temp table t ()", "select to_regclass('pg_temp.t')::text as it", null],
    [
      "a prepared statement",
      "prepare p as select 1",
      "select count(*)::int as it from pg_prepared_statements",
      0,
    ],
    ["LISTEN", "listen c", "select count(*)::int as it from pg_listening_channels()", 0],
    [
      "a lone BEGIN",
      "begin isolation level serializable",
      "select current_setting('transaction_isolation') as it",
      "read committed",
    ],
    [
      "an advisory lock",
      "select pg_advisory_lock(3)",
      "select count(*)::int as it from pg_locks where locktype = 'advisory'",
      0,
    ],
    [
      "a cursor",
      "declare c cursor with hold for select 1",
      "select count(*)::int as it from pg_cursors where name = 'c'",
      0,
    ],
  ])("%s", async (_name, change, look, it) => {
    const pid = await pidOf();
    await bench.sql.query(change);
    expect((await bench.sql.query(look)).rows).toEqual([{ it }]);
    // Otherwise nothing was shown: a new connection has no state at all.
    expect(await pidOf()).toBe(pid);
  });

  test("a transaction that a lone BEGIN opened is rolled back", async () => {
    await bench.post({
      queries: [{ query: "commit" }, { query: "begin" }, { query: "insert into drop values (-1)" }],
    });
    await bench.sql`begin`;
    await eventually(active).toBe(0);
    expect(await bench.backends("state like 'idle in transaction%'")).toBe(0);
  });
});

async function pidOf(url = bench.url): Promise<unknown> {
  const { rows } = await neon(url, { fullResults: true })`select pg_backend_pid() as pid`;
  return rows[0]?.pid;
}

describe("a single statement", () => {
  test("may be a CALL that commits as it goes, and has its result", async () => {
    await bench.ask("truncate drop");
    const { rows, command, rowCount } = await bench.sql`call drip(3, 0, null)`;
    expect([rows, command, rowCount]).toEqual([[{ dripped: 3 }], "CALL", null]);
    expect(await drops()).toBe(3);
  });

  test("of a client that leaves is cancelled, and what a CALL had committed stays", async () => {
    await bench.ask("truncate drop");
    const leave = new AbortController();
    const call = bench.sql.query("call drip(100000, 0.005, null)", [], {
      fetchOptions: { signal: leave.signal },
    });
    const failure = failureOf(call);
    await eventually(drops).toBeGreaterThan(3);
    leave.abort();
    expect(await failure).toMatchObject({ name: "NeonDbError", sourceError: { name: "AbortError" } });
    await eventually(active).toBe(0);
    const committed = await drops();
    expect(committed).toBeGreaterThan(3);
    expect(committed).toBeLessThan(100_000);
  });

  test("of a client that leaves is cancelled even while it waits for a lock", async () => {
    const leave = new AbortController();
    const { sql } = bench;
    const holder = sql.transaction([sql`lock table drop`, sql`select pg_sleep(60)`], {
      fetchOptions: { signal: leave.signal },
    });
    const failure = failureOf(holder);
    await eventually(sleeping).toBe(1);
    const waiter = sql.query("select * from drop", [], { fetchOptions: { signal: leave.signal } });
    const failures = [failure, failureOf(waiter)];
    await eventually(() => bench.backends("wait_event_type = 'Lock'")).toBe(1);
    leave.abort();
    const left = { name: "NeonDbError", sourceError: { name: "AbortError" } };
    expect(await Promise.all(failures)).toMatchObject([left, left]);
    await eventually(active).toBe(0);
  });
});

test("a batch of a client that leaves is rolled back", async () => {
  await bench.ask("truncate drop");
  const leave = new AbortController();
  const { sql } = bench;
  const batch = sql.transaction([sql`insert into drop values (1)`, sql`select pg_sleep(60)`], {
    fetchOptions: { signal: leave.signal },
  });
  const failure = failureOf(batch);
  await eventually(sleeping).toBe(1);
  leave.abort();
  expect(await failure).toMatchObject({ name: "NeonDbError" });
  await eventually(active).toBe(0);
  expect(await drops()).toBe(0);
});

describe("connections", () => {
  test("64 requests at once are all answered, and 20 connections stay", async () => {
    // All of them wait for one lock.
    const leave = new AbortController();
    const { sql } = bench;
    const holder = failureOf(
      sql.transaction([sql`lock table drop`, sql`select pg_sleep(60)`], {
        fetchOptions: { signal: leave.signal },
      }),
    );
    await eventually(sleeping).toBe(1);
    const numbers = Array.from({ length: 64 }, (_, n) => n);
    const asked = Promise.all(numbers.map((n) => sql`select ${n}::int as n, count(*)::int from drop`));
    await eventually(() => bench.backends("wait_event_type = 'Lock'")).toBe(64);
    leave.abort();
    await holder;
    expect((await asked).map(({ rows }) => rows[0]?.n)).toEqual(numbers);
    await eventually(() => bench.backends()).toBe(20);
  });

  test("requests one after the other share one", async () => {
    expect(await pidOf()).toBe(await pidOf());
  });

  test("another role gets another one", async () => {
    const other = "postgresql://other:pw@ep-local.localhost/tests";
    const { rows } = await neon(other, { fullResults: true })`select current_user::text as who`;
    expect(rows).toEqual([{ who: "other" }]);
    expect(await pidOf()).not.toBe(await pidOf(other));
  });

  test("one whose CALL was cancelled is wiped and used again, and its locks are gone", async () => {
    const pid = await pidOf();
    const leave = new AbortController();
    const call = bench.sql.query("call drip(100000, 0.005, null)", [], {
      fetchOptions: { signal: leave.signal },
    });
    const failure = failureOf(call);
    await eventually(() => bench.backends("query like 'call drip%' and state = 'active'")).toBe(1);
    leave.abort();
    await failure;
    await eventually(active).toBe(0);
    expect(await pidOf()).toBe(pid);
    // Longer than a query that was cancelled in vain would have had.
    expect((await bench.sql`select pg_backend_pid() as pid from pg_sleep(0.2)`).rows).toEqual([{ pid }]);
    const locks = await bench.ask("select from pg_locks where relation = 'drop'::regclass");
    expect(locks).toEqual([]);
  });

  test("one whose batch failed is rolled back and used again", async () => {
    await bench.ask("truncate drop");
    const pid = await pidOf();
    const { sql } = bench;
    await expect(
      sql.transaction([sql`insert into drop values (1)`, sql`select 1 / 0`]),
    ).rejects.toMatchObject({ code: "22012" });
    expect(await pidOf()).toBe(pid);
    expect(await drops()).toBe(0);
  });

  test("one that could not commit is not used again", async () => {
    const pid = await pidOf();
    await bench.ask("create table late (id int unique deferrable initially deferred)");
    await bench.ask("alter table late owner to tester");
    const { sql } = bench;
    const twice = sql.transaction([sql`insert into late values (1)`, sql`insert into late values (1)`]);
    await expect(twice).rejects.toMatchObject({ code: "23505" });
    expect(await pidOf()).not.toBe(pid);
  });

  test("one that is idle for long ends", async () => {
    const own = await startLocalNeon({ postgres: bench.postgres, idleTimeoutMs: 50 });
    const before = await bench.backends();
    await bench.post({ query: "select 1" }, {}, own.endpoint);
    await eventually(() => bench.backends()).toBe(before);
    expect((await bench.post({ query: "select 1" }, {}, own.endpoint)).status).toBe(200);
    await own.close();
  });

  test("one whose statement failed is not used again", async () => {
    const pid = await pidOf();
    await expect(bench.sql`select 1 / 0`).rejects.toMatchObject({ code: "22012" });
    expect(await pidOf()).not.toBe(pid);
    expect(await bench.backends(`pid = ${String(pid)}`)).toBe(0);
  });
});

test("close() cancels what runs, ends what hangs, and leaves no connection on either side", async () => {
  const own = await startLocalNeon({ postgres: bench.postgres });
  const before = await bench.backends();
  await bench.post({ query: "select 1" }, {}, own.endpoint);
  own.switchboard.set({ fault: { kind: "hang" }, matching: "select 'hang'" });
  const failures = ["select 'hang'", "select pg_sleep(60)"].map((query) =>
    failureOf(bench.post({ query }, {}, own.endpoint)),
  );
  await eventually(() => own.switchboard.hits()).toEqual([1]);
  await eventually(sleeping).toBe(1);
  await own.close();
  const disconnected = { name: "TypeError", message: "fetch failed" };
  expect(await Promise.all(failures)).toMatchObject([disconnected, disconnected]);
  await eventually(() => bench.backends()).toBe(before);
  await expect(fetch(own.endpoint, { method: "OPTIONS" })).rejects.toThrow("fetch failed");
});
