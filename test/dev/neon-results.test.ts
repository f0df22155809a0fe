// What comes back for a statement that succeeds: keys, fields, texts, commands, counts, parameters.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Bench } from "./support/neon.ts";
import { startBench } from "./support/neon.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
  await bench.ask("create table pair (a int primary key, b text); alter table pair owner to tester");
  await bench.ask("create procedure nothing() language sql as ''");
});
afterAll(() => bench.stop());

interface Result {
  fields: { name: string; dataTypeID: number; tableID: number; columnID: number }[];
  rows: (string | null)[][];
  command: string;
  rowCount: number | null;
  rowAsArray: boolean;
}

async function run(query: string, params?: unknown[]): Promise<Result> {
  const { status, text } = await bench.post({ query, params });
  if (status !== 200) throw new Error(`${status} ${text}`);
  const result: Result = JSON.parse(text);
  return result;
}

test("a result has its five keys, and a field its seven, in Neon's order", async () => {
  const { status, headers, text } = await bench.post({ query: "select 1 as one" });
  expect(status).toBe(200);
  expect(headers.get("content-type")).toBe("application/json");
  expect(text).toBe(
    '{"fields":[{"name":"one","dataTypeID":23,"tableID":0,"columnID":0,"dataTypeSize":4,' +
      '"dataTypeModifier":-1,"format":"text"}],"rows":[["1"]],"command":"SELECT","rowCount":1,"rowAsArray":true}',
  );
});

test("a field names the table and the column it comes from", async () => {
  const [table] = await bench.ask<{ oid: number }>("select 'pair'::regclass::oid::int as oid");
  const { fields } = await run("select b, a + 1 as more from pair");
  expect(fields.map(({ name, tableID, columnID }) => [name, tableID, columnID])).toEqual([
    ["b", table?.oid, 2],
    ["more", 0, 0],
  ]);
});

test("columns of one name are all there", async () => {
  expect((await run("select 1 as x, 2 as x")).rows).toEqual([["1", "2"]]);
});

test.each([
  ["null", null, 25],
  ["true", "t", 16],
  ["9223372036854775807", "9223372036854775807", 20],
  ["'NaN'::float8", "NaN", 701],
  ["'-Infinity'::float4", "-Infinity", 700],
  ["0.1::float8 + 0.2::float8", "0.30000000000000004", 701],
  ["12345678901234567890.1234567890", "12345678901234567890.1234567890", 1700],
  ["E'Žluťoučký 🐎 \"quoted\" \\\\ \\t\\n'", 'Žluťoučký 🐎 "quoted" \\ \t\n', 25],
  [`'{"b": 1,  "a": [2]}'::json`, '{"b": 1,  "a": [2]}', 114],
  [`'{"b": 1,  "a": [2]}'::jsonb`, '{"a": [2], "b": 1}', 3802],
  ["array[1, null, 3]", "{1,NULL,3}", 1007],
  [`array['a b', 'c"d', null, 'NULL', '']`, `{"a b","c\\"d",NULL,"NULL",""}`, 1009],
  ["timestamptz '2026-11-23 08:19:38.175+01'", "2026-11-23 07:19:38.175+00", 1184],
  ["interval '36 hours'", "36:00:00", 1186],
  ["'\\xdeadbeef'::bytea", "\\xdeadbeef", 17],
  ["'7d444840-9dc0-11d1-b245-5ffdce74fad2'::uuid", "7d444840-9dc0-11d1-b245-5ffdce74fad2", 2950],
])("select %s is PostgreSQL's own text %j of type %i", async (expression, text, type) => {
  const { rows, fields } = await run(`select ${expression}`);
  expect(rows).toEqual([[text]]);
  expect(fields[0]?.dataTypeID).toBe(type);
});

test("the driver makes JavaScript values of them", async () => {
  const { rows, rowCount, command } = await bench.sql`
    select true as yes, null as nothing, 9007199254740993 as big, 'NaN'::float8 as nan, 1.50 as price,
      '{"a": [1]}'::jsonb as doc, array[1, null] as list, '\\x01ff'::bytea as bytes,
      timestamptz '2026-11-23 07:19:38.175+00' as at`;
  expect(rows).toEqual([
    {
      yes: true,
      nothing: null,
      big: "9007199254740993",
      nan: NaN,
      price: "1.50",
      doc: { a: [1] },
      list: [1, null],
      bytes: Buffer.from([1, 255]),
      at: new Date("2026-11-23T07:19:38.175Z"),
    },
  ]);
  expect([rowCount, command]).toEqual([1, "SELECT"]);
});

describe("parameters", () => {
  test.each([
    ["null", "text", null],
    ["a string", "text", `it's "so" \\ 🐎`],
    ["a bool", "bool", true],
    ["a number", "float8", 0.1],
    ["NaN", "float8", NaN],
    ["a Date", "timestamptz", new Date("2026-11-23T07:19:38.175Z")],
    ["a Buffer", "bytea", Buffer.from([0, 1, 254, 255])],
    ["an array", "int[]", [1, null, 3]],
    ["an array of strings", "text[]", ["a,b", 'c"d', "e\\f", "{}", "NULL", ""]],
    ["an object", "jsonb", { a: [1, { b: null }], c: 'd"e' }],
  ])("%s comes back through the driver as it went", async (_name, type, value) => {
    const { rows } = await bench.sql.query(`select $1::${type} as value`, [value]);
    expect(rows).toEqual([{ value }]);
  });

  test.each([
    ["null", null, null],
    ["a bool", true, "true"],
    ["a number", 1.5, "1.5"],
    ["a string", "a\"b'c\\d", "a\"b'c\\d"],
    ["an object", { a: [1, "b"] }, '{"a":[1,"b"]}'],
    ["an array", [1, true, null, "NULL", 'a"b\\c'], '{1,true,NULL,"NULL","a\\"b\\\\c"}'],
    ["an array of arrays", [[1], [null]], "{{1},{NULL}}"],
    ["an array of objects", [{ a: 1 }], '{"{\\"a\\":1}"}'],
    ["an empty array", [], "{}"],
  ])("JSON: %s reaches PostgreSQL as this text", async (_name, value, text) => {
    expect((await run("select $1::text", [value])).rows).toEqual([[text]]);
  });

  test("their types are inferred by PostgreSQL from the statement alone", async () => {
    expect((await run("select pg_typeof($1 + 1), pg_typeof(least($2, now()))", ["1", null])).rows).toEqual([
      ["integer", "timestamp with time zone"],
    ]);
  });
});

test("command and rowCount are the command tag's, and rowCount is null where the tag has no count", async () => {
  const tags: [string, string, number | null][] = [
    ["truncate pair", "TRUNCATE", null],
    ["insert into pair values (1, 'x'), (2, 'y')", "INSERT", 2],
    ["insert into pair values (3, 'z') returning a", "INSERT", 1],
    ["insert into pair values (1) on conflict do nothing", "INSERT", 0],
    ["update pair set b = 'w' where a < 3", "UPDATE", 2],
    ["delete from pair where a > 9", "DELETE", 0],
    ["merge into pair using (values (3)) s(a) on pair.a = s.a when matched then delete", "MERGE", 1],
    ["with gone as (delete from pair returning a) select count(*) from gone", "SELECT", 1],
    ["select a from pair", "SELECT", 0],
    ["values (1), (2)", "SELECT", 2],
    ["create table copied as values (1), (2), (3)", "SELECT", 3],
    ["drop table copied", "DROP", null],
    ["explain (costs off) select 1", "EXPLAIN", null],
    ["show timezone", "SHOW", null],
    ["set search_path = public", "SET", null],
    ["begin", "BEGIN", null],
    ["do $$ begin end $$", "DO", null],
    ["call nothing()", "CALL", null],
    ["vacuum pair", "VACUUM", null],
    ["", "", null],
    ["-- nothing", "", null],
  ];
  const answered: typeof tags = [];
  for (const [query] of tags) {
    const { command, rowCount } = await run(query);
    answered.push([query, command, rowCount]);
  }
  expect(answered).toEqual(tags);
});

test("a statement without a row description has no fields and no rows", async () => {
  expect(await run("set search_path = public")).toMatchObject({ fields: [], rows: [] });
});

test("a statement without rows still has its fields", async () => {
  const { fields, rows } = await run("select a, b from pair where false");
  expect([fields.map(({ name }) => name), rows]).toEqual([["a", "b"], []]);
});
