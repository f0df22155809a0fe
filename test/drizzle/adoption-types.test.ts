// Every type that a column of another program may have, for every type that we declare: used as it is, with --convert, or
// after the statements of the refusal. Afterwards a session's life, a cleanup and the other program work.
import type { ClientConfig } from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { MOST_CHARACTERS } from "../../drizzle/column-types.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { adminOf, createDatabase, createDatabaseFrom, query, valueOf } from "./databases.ts";
import { cleanUpAll, liveAndEnd, otherProgram } from "./life.ts";
import { adoptByStatements, refusalOf } from "./refusals.ts";

type Verdict = "as it is" | "--convert" | "by hand" | "rename";

/** Each type that is found, with what becomes of it and a value that it can have. */
type Found = Record<string, [Verdict, string]>;

const UUID = "'00000000-0000-4000-8000-000000000001'";

const texts: Found = {
  text: ["as it is", "'x'"],
  varchar: ["as it is", "'x'"],
  "varchar(255)": ["as it is", "'x'"],
  "varchar(LONG)": ["as it is", "'x'"],
  "varchar(SHORT)": ["--convert", "'x'"],
  "char(64)": ["--convert", "'x'"],
  name: ["--convert", "'x'"],
  uuid: ["--convert", UUID],
  level: ["--convert", "'debug'"],
  citext: ["--convert", "'x'"],
  'text COLLATE "anycase"': ["--convert", "'x'"],
  text_domain: ["as it is", "'x'"],
  long_domain: ["as it is", "'x'"],
  short_domain: ["by hand", "'x'"],
  uuid_domain: ["by hand", UUID],
  integer: ["by hand", "7"],
  bigint: ["by hand", "7"],
  "numeric(20)": ["by hand", "7"],
  bytea: ["by hand", String.raw`'\x0102'`],
  inet: ["by hand", "'127.0.0.1'"],
};

const times: Found = {
  timestamptz: ["as it is", "'2020-01-01 00:00+00'"],
  "timestamptz(0)": ["as it is", "'2020-01-01 00:00+00'"],
  timestamptz_domain: ["as it is", "'2020-01-01 00:00+00'"],
  timestamp: ["--convert", "'2020-01-01 00:00'"],
  "timestamp(3)": ["--convert", "'2020-01-01 00:00'"],
  timestamp_domain: ["by hand", "'2020-01-01 00:00'"],
  date: ["by hand", "'2020-01-01'"],
  smallint: ["by hand", "15778"],
  integer: ["by hand", "1577836800"],
  bigint: ["by hand", "1577836800"],
  "double precision": ["by hand", "1577836800.5"],
  numeric: ["by hand", "1577836800"],
  text: ["by hand", "'2020-01-01T00:00:00Z'"],
  "varchar(30)": ["by hand", "'2020-01-01T00:00:00Z'"],
  interval: ["rename", "'1 day'"],
  boolean: ["rename", "true"],
  jsonb: ["rename", "'1'"],
};

const documents: Found = {
  jsonb: ["as it is", `'{"a": 1}'`],
  jsonb_domain: ["as it is", `'{"a": 1}'`],
  json: ["--convert", `'{"a": 1}'`],
  text: ["--convert", `'{"a": 1}'`],
  "varchar(100)": ["--convert", `'{"a": 1}'`],
  "char(20)": ["--convert", `'{"a": 1}'`],
  citext: ["--convert", `'{"a": 1}'`],
  json_domain: ["by hand", `'{"a": 1}'`],
  "text[]": ["by hand", "'{a,b}'"],
  hstore: ["by hand", "'a=>1'"],
  bytea: ["rename", String.raw`'\x01'`],
  boolean: ["rename", "true"],
  xml: ["rename", "'<a/>'"],
};

const some = (found: Found, ...types: string[]): Found =>
  Object.fromEntries(Object.entries(found).filter(([type]) => types.includes(type)));
const someTexts = some(texts, "varchar(LONG)", "varchar(SHORT)", "uuid", "bytea");
const someTimes = some(times, "timestamp", "timestamp(3)", "bigint", "interval");
const someDocuments = some(documents, "json", "text", "hstore", "xml");

// One column of each declared type with every type, and the others with those that are not treated alike.
const matrix: Record<string, Found> = {
  session_id: texts,
  principal: { ...someTexts, 'text COLLATE "anycase"': ["--convert", "'x'"] },
  protocol_version: { ...someTexts, 'text COLLATE "anycase"': ["as it is", "'x'"] },
  log_level: someTexts,
  end_reason: someTexts,
  created_at: { ...someTimes, "timestamptz(0)": ["--convert", "'2020-01-01 00:00+00'"] },
  last_active: { ...someTimes, "timestamptz(0)": ["--convert", "'2020-01-01 00:00+00'"] },
  expires_at: times,
  ended_at: someTimes,
  capabilities: someDocuments,
  client_info: documents,
  state: someDocuments,
  state_versions: someDocuments,
  state_version: {
    bigint: ["as it is", "1"],
    integer: ["--convert", "1"],
    smallint: ["--convert", "1"],
    numeric: ["by hand", "1"],
    text: ["rename", "'1'"],
    "double precision": ["rename", "1"],
  },
  state_writes: {
    "text[]": ["as it is", "'{a}'"],
    "varchar[]": ["as it is", "'{a}'"],
    "varchar(56)[]": ["as it is", "'{a}'"],
    "varchar(55)[]": ["--convert", "'{a}'"],
    "char(60)[]": ["--convert", "'{a}'"],
    text: ["rename", "'a'"],
    jsonb: ["rename", "'[]'"],
    "integer[]": ["rename", "'{1}'"],
  },
};

// What one column of each pair is instead of.
const usual: Record<string, string> = {
  session_id: "text",
  created_at: "timestamptz",
  last_active: "timestamptz",
  expires_at: "timestamptz",
  capabilities: "jsonb",
  client_info: "jsonb",
};

const TEMPLATE = "with_types";
beforeAll(async () => {
  const { database } = await createDatabase(
    "CREATE EXTENSION citext; CREATE EXTENSION hstore",
    "CREATE TYPE level AS ENUM ('debug', 'emergency')",
    "CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    // The lengths are those of session_id.
    `CREATE DOMAIN long_domain AS varchar(64); CREATE DOMAIN inner_domain AS varchar(63); CREATE DOMAIN short_domain AS inner_domain;
     CREATE DOMAIN text_domain AS text; CREATE DOMAIN uuid_domain AS uuid; CREATE DOMAIN timestamp_domain AS timestamp(3);
     CREATE DOMAIN timestamptz_domain AS timestamptz; CREATE DOMAIN json_domain AS json; CREATE DOMAIN jsonb_domain AS jsonb`,
  );
  await query(adminOf("postgres"), `ALTER DATABASE ${String(database)} RENAME TO ${TEMPLATE}`);
});

/** The type of each column that has one of its own, and a value of it. */
type Types = Record<string, { type: string; value: string }>;

/**
 * Tables in which as many columns as possible have a type of their own; in each all have the same verdict. Every pair of a
 * column and a type stands in one of them.
 */
function tablesOf(verdict: Verdict): Types[] {
  const tables: Types[] = [];
  let ofCreated = 0;
  for (const [column, found] of Object.entries(matrix)) {
    const pairs = Object.entries(found).filter(([, [its]]) => its === verdict);
    // The precisions of these two are compared, so never both are odd.
    const first = column === "last_active" ? ofCreated : 0;
    if (column === "created_at") ofCreated = pairs.length;
    for (const [i, [type, [, value]]] of pairs.entries()) {
      (tables[first + i] ??= {})[column] = { type, value };
    }
  }
  return tables;
}

/** A database with such a table. */
async function createTable(types: Types): Promise<ClientConfig> {
  const found = Object.fromEntries(Object.entries(types).map(([column, { type }]) => [column, type]));
  const columns = Object.entries({ ...usual, ...found }).map(([column, type]) => {
    const most = MOST_CHARACTERS[column] ?? 0;
    const sized = type.replace("LONG", String(most)).replace("SHORT", String(most - 1));
    return `${column} ${sized}${column === "session_id" ? " PRIMARY KEY" : ""}`;
  });
  // A principal with a value is another test's.
  const values = Object.entries(types).flatMap(([column, { value }]) =>
    column === "principal" ? [] : [[column, value] as const],
  );
  const row = { session_id: "'x'", ...Object.fromEntries(values) };
  return createDatabaseFrom(
    TEMPLATE,
    `CREATE TABLE mcp_sessions (${columns.join(", ")}, own_note text)`,
    `INSERT INTO mcp_sessions (${Object.keys(row).join(", ")}, own_note) VALUES (${Object.values(row).join(", ")}, 'mine')`,
  );
}

/** What another program does, with whatever types its columns have by now. */
async function goOn(config: ClientConfig): Promise<void> {
  const program = await otherProgram(config);
  await query(
    program,
    "UPDATE mcp_sessions SET own_note = 'still mine', expires_at = now() + interval '1 day' WHERE own_note = 'mine'",
    "INSERT INTO mcp_sessions (session_id, expires_at, own_note) VALUES ('new', now() + interval '1 day', 'mine')",
    "INSERT INTO mcp_sessions (session_id, expires_at, own_note) VALUES ('old', now() - interval '1 day', 'mine')",
  );
  await cleanUpAll(config);
  expect(
    await query(program, "SELECT own_note FROM mcp_sessions WHERE own_note IS NOT NULL ORDER BY 1"),
  ).toEqual([{ own_note: "mine" }, { own_note: "still mine" }]);
  await query(program, "DELETE FROM mcp_sessions WHERE session_id = 'new'");
  expect(await valueOf(config, "SELECT count(*)::int FROM mcp_sessions")).toBe(1);
}

const typeOf = (config: ClientConfig, column: string) =>
  valueOf(
    config,
    `SELECT concat_ws(' ', format_type(atttypid, atttypmod), attcollation) FROM pg_attribute WHERE attrelid = 'mcp_sessions'::regclass AND attname = '${column}'`,
  );

/** Adopts the table in the way that is said, and by no other. */
async function adopt(config: ClientConfig, columns: string[], verdict: Verdict): Promise<void> {
  if (verdict === "as it is") {
    await migrate(config);
    return;
  }
  const refusal = await refusalOf(config);
  for (const column of columns) {
    const lines = refusal.split("\n");
    const place = lines.findIndex((line) => line.includes(`- ${column} must be `));
    const [text = "", statement = ""] = lines.slice(place, place + 2);
    expect(text, `${column} is not in:\n${refusal}`).toContain(`${column} must be `);
    expect(text.includes("--convert"), text).toBe(verdict === "--convert");
    expect(statement.includes("RENAME COLUMN"), statement).toBe(verdict === "rename");
  }
  if (verdict === "--convert") {
    await migrate(config, undefined, { convert: true });
    return;
  }
  await refusalOf(config, { convert: true });
  await adoptByStatements(config);
}

const cases = (["as it is", "--convert", "by hand", "rename"] as const).flatMap((verdict) =>
  tablesOf(verdict).map((types) => [verdict, types] as const),
);

describe.concurrent("a table is adopted", () => {
  test.each(
    cases.map(
      ([verdict, types]) =>
        [
          verdict,
          Object.entries(types)
            .map(([column, { type }]) => `${column} ${type}`)
            .join(", "),
          types,
        ] as const,
    ),
  )("%s: %s", async (verdict, _, types) => {
    const columns = Object.keys(types);
    const config = await createTable(types);
    const typesNow = () => Promise.all(columns.map((column) => typeOf(config, column)));
    const before = await typesNow();
    await adopt(config, columns, verdict);
    const after = await typesNow();
    for (const [i, column] of columns.entries())
      expect(after[i] === before[i], column).toBe(verdict === "as it is");
    expect(await valueOf(config, "SELECT count(*)::int FROM mcp_sessions WHERE own_note = 'mine'")).toBe(1);
    expect(await migrate(config)).toEqual([]);
    await liveAndEnd(config);
    await goOn(config);
  });
});

test("each type of each column is in one of these tables", () => {
  const tried = cases.flatMap(([verdict, types]) =>
    Object.entries(types).map(([column, { type }]) => `${column} ${type} ${verdict}`),
  );
  const all = Object.entries(matrix).flatMap(([column, found]) =>
    Object.entries(found).map(([type, [verdict]]) => `${column} ${type} ${verdict}`),
  );
  expect(tried.toSorted()).toEqual(all.toSorted());
});
