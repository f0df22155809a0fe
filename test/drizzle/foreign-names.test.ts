// What another program calls its columns and indexes. Its names are not ours, whatever they are.
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

/** The parameters and variables of all routines: what a column could be taken for. */
const variables = [
  ...new Set(
    readSqlFiles("drizzle").routines.flatMap(({ text }) =>
      [
        ...text.matchAll(
          /^ {2}(?:OUT |INOUT )?(\w+) (?:CONSTANT )?(?:text|bigint|integer|boolean|timestamptz|interval|double|tid|jsonb|record)\b/gm,
        ),
      ].map(([, name = ""]) => name),
    ),
  ),
].filter((name) => !ownColumns.includes(name));

test("columns by the name of every variable of our routines change nothing", async () => {
  expect(variables).toEqual(
    expect.arrayContaining(["step", "cutoff", "watermark", "batch_size", "p_principal"]),
  );
  const columns = variables.map((name) => `ADD COLUMN ${escapeIdentifier(name)} text DEFAULT 'theirs'`);
  const config = await createDatabase(
    TABLE,
    `ALTER TABLE mcp_sessions ${columns.join(", ")}`,
    `INSERT INTO mcp_sessions (session_id, expires_at)
     SELECT 'old' || i, now() - i * interval '1 hour' FROM generate_series(1, 50) i`,
    "INSERT INTO mcp_sessions (session_id, expires_at) VALUES ('live', now() + interval '1 day')",
    "CREATE TABLE calls (session_id text REFERENCES mcp_sessions)",
  );
  await migrate(config);
  await liveAndEnd(config);
  await query(config, "INSERT INTO calls VALUES ('old7')");
  const clean = "CALL mcp_cleanup_sessions('regular', 'manual', now(), 0, 10, 20000, 30)";
  expect(await query(config, clean)).toMatchObject([{ outcome: "completed", deleted: "49", blocked: "1" }]);
  await query(config, "DELETE FROM calls");
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
