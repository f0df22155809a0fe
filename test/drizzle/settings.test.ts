// Settings that a role or a database may have for another program: everything of ours works with them.
import { expect, test } from "vitest";
import { migrate } from "../../drizzle/migrate.ts";
import { createDatabase, query } from "./databases.ts";
import { cleanUpAll, liveAndEnd } from "./life.ts";

const settings = {
  standard_conforming_strings: "off",
  quote_all_identifiers: "on",
  DateStyle: "'SQL, DMY'",
  IntervalStyle: "sql_standard",
  TimeZone: "'Asia/Kathmandu'",
  bytea_output: "escape",
  extra_float_digits: "0",
  transform_null_equals: "on",
  array_nulls: "off",
  row_security: "off",
  default_transaction_deferrable: "on",
  statement_timeout: "'60s'",
  idle_in_transaction_session_timeout: "'60s'",
  "plpgsql.variable_conflict": "use_column",
  "plpgsql.extra_errors": "'all'",
  "plpgsql.extra_warnings": "'all'",
  lo_compat_privileges: "on",
  enable_seqscan: "off",
  enable_indexscan: "off",
  default_statistics_target: "1",
  check_function_bodies: "on",
  client_min_messages: "debug5",
};

const table = [
  `CREATE TABLE mcp_sessions (
     session_id text PRIMARY KEY, created_at timestamptz DEFAULT now(), last_active timestamptz DEFAULT now(),
     expires_at timestamptz, capabilities jsonb DEFAULT '{}', client_info jsonb DEFAULT '{}')`,
  String.raw`INSERT INTO mcp_sessions (session_id, expires_at) VALUES (E'back\slash', now() - interval '1 day'), ('live', 'infinity')`,
];

test.concurrent.each(Object.entries(settings))("%s = %s", async (name, value) => {
  const config = await createDatabase(...table);
  const database = `ALTER DATABASE ${String(config.database)}`;
  await query(config, `${database} SET ${name} = ${value}`);
  await migrate(config);
  expect(await migrate(config)).toEqual([]);
  await liveAndEnd(config);
  await cleanUpAll(config);
  // What was made with it is the same without it.
  await query(config, `${database} RESET ALL`);
  expect(await migrate(config)).toEqual([]);
  await liveAndEnd(config);
});

test("all of them at once", async () => {
  const config = await createDatabase(...table);
  for (const [name, value] of Object.entries(settings))
    await query(config, `ALTER DATABASE ${String(config.database)} SET ${name} = ${value}`);
  await migrate(config);
  expect(await migrate(config)).toEqual([]);
  await liveAndEnd(config);
  await cleanUpAll(config);
});
