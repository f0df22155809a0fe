// What another program calls its columns and indexes. Its names are not ours, whatever they are.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { escapeIdentifier } from "pg";
import { expect, test } from "vitest";
import { declaredTables } from "../../drizzle/catalog.ts";
import { readSqlFiles } from "../../drizzle/files.ts";
import { migrate } from "../../drizzle/migrate.ts";
import { createDatabase, query, valueOf } from "./databases.ts";
import { cleanUpAll, liveAndEnd } from "./life.ts";

const TABLE = `CREATE TABLE mcp_sessions (
  session_id text PRIMARY KEY, created_at timestamptz DEFAULT now(), last_active timestamptz DEFAULT now(),
  expires_at timestamptz, capabilities jsonb DEFAULT '{}', client_info jsonb DEFAULT '{}')`;

const ownColumns = declaredTables
  .filter(({ name }) => name === "mcp_sessions")
  .flatMap(({ columns }) => columns.map(({ name }) => name));

const namesBy = (pattern: RegExp, text: string) => [...text.matchAll(pattern)].map(([, name = ""]) => name);

/** The parameters and variables of a routine, those of its loops among them. */
function namesIn(text: string): string[] {
  const code = text.replaceAll(/--.*$/gm, "");
  const [head = ""] = code.split(/^(?:RETURNS|LANGUAGE)\b/m);
  const [, declared = ""] = /^DECLARE$([\s\S]*?)^BEGIN$/m.exec(code) ?? [];
  return [
    ...namesBy(/(?:^|,)\s*(?:OUT |INOUT )?(\w+) /g, head.slice(head.indexOf("(") + 1, head.lastIndexOf(")"))),
    ...namesBy(/^ {2}(\w+) /gm, declared),
    ...namesBy(/\bFOR (\w+) IN\b/g, code),
  ];
}

const routines = readSqlFiles("drizzle").routines.filter(({ kind }) => kind !== "trigger");
const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => readFileSync(join("src", file), "utf8"));
/** What our statements call their expressions, subqueries and rows. */
const aliases = [...routines.map(({ text }) => text), ...sources].flatMap((text) =>
  namesBy(/\bAS (?:MATERIALIZED )?"?([a-zA-Z_]\w*)/g, text).concat(
    namesBy(/^[ ,]*(\w+) AS (?:MATERIALIZED )?\(/gm, text),
  ),
);
/** What a column of another program could be taken for; PL/pgSQL has some variables of its own. */
const variables = [
  ...new Set([
    ...routines.flatMap(({ text }) => namesIn(text)),
    ...aliases,
    "found",
    "sqlstate",
    "sqlerrm",
    "tg_op",
    "tg_relid",
  ]),
].filter((name) => !ownColumns.includes(name));

test("columns by the name of every variable of our routines change nothing", async () => {
  // One of each kind: a parameter, an OUT parameter, a constant, a variable, a row, a loop's, and on one line.
  expect(variables).toEqual(
    expect.arrayContaining([
      "p_principal",
      "step",
      "cutoff",
      "watermark",
      "s",
      "attempt",
      "p_amount",
      "own",
      "version",
    ]),
  );
  // None is forgotten: each word that a routine declares stands before a type.
  for (const { name, text } of routines) expect(namesIn(text), name).not.toEqual([]);
  const columns = variables.map((name) => `ADD COLUMN ${escapeIdentifier(name)} text DEFAULT 'theirs'`);
  const config = await createDatabase(
    TABLE,
    `ALTER TABLE mcp_sessions ${columns.join(", ")}`,
    `INSERT INTO mcp_sessions (session_id, expires_at)
     SELECT 'old' || i, now() - i * interval '1 hour' FROM generate_series(1, 50) i`,
    "INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('live', now() + interval '1 day')",
    "CREATE TABLE calls (session_id text REFERENCES mcp_sessions)",
    "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
  );
  await migrate(config);
  await liveAndEnd(config);
  await query(
    config,
    "INSERT INTO calls VALUES ('old7')",
    `CREATE TRIGGER swallow BEFORE DELETE ON mcp_sessions FOR EACH ROW
       WHEN (OLD.session_id = 'old8') EXECUTE FUNCTION swallow()`,
  );
  const clean = "CALL mcp_cleanup_sessions('regular', 'manual', now(), 0, 10, 20000, 30)";
  expect(await query(config, clean)).toMatchObject([
    { outcome: "completed", deleted: "48", blocked: "2", blocked_by: "23503, kept" },
  ]);
  await query(config, "DELETE FROM calls", "DROP TRIGGER swallow ON mcp_sessions");
  await cleanUpAll(config);
  expect(await valueOf(config, "SELECT step FROM mcp_sessions WHERE session_id = 'live'")).toBe("theirs");
});

test("in bulk, too", async () => {
  for (const position of ["i", "(i * 4099) % 6000"]) {
    const config = await createDatabase(
      TABLE,
      `ALTER TABLE mcp_sessions ${variables.map((name) => `ADD COLUMN ${escapeIdentifier(name)} text`).join(", ")}`,
      `INSERT INTO mcp_sessions (session_id, client_info, expires_at)
       SELECT i::text, jsonb_build_object('padding', repeat('x', 1400)), now() - interval '1 day' - (${position}) * interval '5 s'
         FROM generate_series(1, 6000) i`,
    );
    await migrate(config);
    const clean = "CALL mcp_cleanup_sessions('regular', 'manual', now(), 0, 100, 20000, 30)";
    expect(await query(config, clean)).toMatchObject([{ outcome: "completed", deleted: "6000" }]);
  }
});

test("an index by the name of a former one of ours stays, when it was there before us", async () => {
  const config = await createDatabase(
    TABLE,
    "ALTER TABLE mcp_sessions ADD COLUMN principal text",
    "CREATE INDEX idx_mcp_sessions_principal ON mcp_sessions (principal)",
  );
  const theirs = "SELECT 'idx_mcp_sessions_principal'::regclass::oid::int";
  const before = await valueOf(config, theirs);
  await migrate(config);
  await migrate(config);
  expect(await valueOf(config, theirs)).toBe(before);
});
