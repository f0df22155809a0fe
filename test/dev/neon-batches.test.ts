// Batches: one transaction, all or nothing, in the mode the headers ask for.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Bench } from "./support/neon.ts";
import { startBench } from "./support/neon.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
  await bench.ask(
    "create table entry (id int primary key, next int references entry deferrable initially deferred)",
  );
  await bench.ask("alter table entry owner to tester");
});
beforeEach(() => bench.ask("truncate entry"));
afterAll(() => bench.stop());

const entries = () => bench.ask<{ id: number }>("select id from entry order by id");

describe("a batch", () => {
  test("answers with its results in order", async () => {
    const { sql } = bench;
    const results = await sql.transaction([sql`insert into entry values (1)`, sql`select id from entry`]);
    expect(results.map(({ command, rowCount, rows }) => [command, rowCount, rows])).toEqual([
      ["INSERT", 1, []],
      ["SELECT", 1, [{ id: 1 }]],
    ]);
    expect(await entries()).toEqual([{ id: 1 }]);
  });

  test("has nothing but its results in its body, each with the keys of a single one", async () => {
    const one = (await bench.post({ query: "select 1" })).text;
    expect((await bench.post({ queries: [{ query: "select 1" }, { query: "select 1" }] })).text).toBe(
      `{"results":[${one},${one}]}`,
    );
    expect((await bench.post({ queries: [] })).text).toBe('{"results":[]}');
  });

  test("is one transaction", async () => {
    const { sql } = bench;
    const [first, second] = await sql.transaction([
      sql`select pg_current_xact_id()::text as id, pg_try_advisory_xact_lock(1)`,
      sql`select pg_current_xact_id()::text as id, now() = transaction_timestamp() as same
          from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`,
    ]);
    expect(second?.rows).toEqual([{ id: first?.rows[0]?.id, same: true }]);
  });

  test("takes parameters per statement", async () => {
    const { sql } = bench;
    await sql.transaction([sql`insert into entry values (${1})`, sql`insert into entry values (${2}, ${1})`]);
    expect(await entries()).toEqual([{ id: 1 }, { id: 2 }]);
  });
});

describe("a batch that fails", () => {
  test.each([
    ["at its last statement", ["insert into entry values (1)", "insert into entry values (1)"], "23505"],
    [
      "before its last statement",
      ["insert into entry values (1)", "selec", "insert into entry values (2)"],
      "42601",
    ],
    ["for two commands in one statement", ["insert into entry values (1)", "select 1; select 2"], "42601"],
    ["at its commit", ["insert into entry values (1, 2)"], "23503"],
  ])("%s answers with that error alone and leaves nothing", async (_name, queries, code) => {
    const { status, text } = await bench.post({ queries: queries.map((query) => ({ query })) });
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ code, severity: "ERROR" });
    expect(JSON.parse(text)).not.toHaveProperty("results");
    expect(await entries()).toEqual([]);
  });

  test("is the statement's own error in the driver", async () => {
    const { sql } = bench;
    await expect(
      sql.transaction([sql`insert into entry values (1)`, sql`select 1 / 0`]),
    ).rejects.toMatchObject({ name: "NeonDbError", code: "22012" });
  });

  test("obeys its own SET LOCAL, and the next request does not", async () => {
    const { sql } = bench;
    await expect(
      sql.transaction([sql`set local statement_timeout = '10ms'`, sql`select pg_sleep(60)`]),
    ).rejects.toMatchObject({ code: "57014" });
    expect((await sql`show statement_timeout`).rows).toEqual([{ statement_timeout: "0" }]);
  });

  test("holds its locks no longer than until its answer", async () => {
    const { sql } = bench;
    await expect(
      sql.transaction([sql`select pg_advisory_xact_lock(8)`, sql`select 1 / 0`]),
    ).rejects.toMatchObject({ code: "22012" });
    expect(await bench.ask("select pg_try_advisory_xact_lock(8) as free")).toEqual([{ free: true }]);
  });
});

describe("the mode of a batch", () => {
  const modes = {
    queries: [
      {
        query:
          "select current_setting('transaction_isolation'), current_setting('transaction_read_only'), " +
          "current_setting('transaction_deferrable')",
      },
    ],
  };

  test.each([
    [{}, ["read committed", "off", "off"]],
    [{ "neon-batch-isolation-level": "ReadUncommitted" }, ["read uncommitted", "off", "off"]],
    [{ "neon-batch-isolation-level": "ReadCommitted" }, ["read committed", "off", "off"]],
    [{ "neon-batch-isolation-level": "RepeatableRead" }, ["repeatable read", "off", "off"]],
    [{ "neon-batch-isolation-level": "Serializable" }, ["serializable", "off", "off"]],
    [{ "neon-batch-read-only": "true" }, ["read committed", "on", "off"]],
    [{ "neon-batch-deferrable": "true" }, ["read committed", "off", "on"]],
    [
      {
        "neon-batch-isolation-level": "Serializable",
        "neon-batch-read-only": "true",
        "neon-batch-deferrable": "true",
      },
      ["serializable", "on", "on"],
    ],
  ])("is what %j says, and the answer repeats the headers", async (headers, row) => {
    const { headers: answered, text } = await bench.post(modes, headers);
    expect(JSON.parse(text)).toMatchObject({ results: [{ rows: [row] }] });
    const echoed = [...answered].filter(([name]) => name.startsWith("neon-batch-"));
    expect(Object.fromEntries(echoed)).toEqual(headers);
  });

  test("is not changed by values other than true, and those are not repeated", async () => {
    const headers = { "neon-batch-read-only": "false", "neon-batch-deferrable": "1" };
    const { headers: answered, text } = await bench.post(modes, headers);
    expect(JSON.parse(text)).toMatchObject({ results: [{ rows: [["read committed", "off", "off"]] }] });
    expect([...answered.keys()].filter((name) => name.startsWith("neon-batch-"))).toEqual([]);
  });

  test("is nothing to a single statement", async () => {
    const headers = { "neon-batch-isolation-level": "Serializable", "neon-batch-read-only": "true" };
    const { status, headers: answered } = await bench.post(
      { query: "insert into entry values (1)" },
      headers,
    );
    expect(status).toBe(200);
    expect([...answered.keys()].filter((name) => name.startsWith("neon-batch-"))).toEqual([]);
  });

  test("comes from the driver's options", async () => {
    const { sql } = bench;
    await expect(
      sql.transaction([sql`insert into entry values (1)`], {
        isolationLevel: "RepeatableRead",
        readOnly: true,
      }),
    ).rejects.toMatchObject({ code: "25006" });
  });
});
