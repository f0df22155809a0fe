// The script of docs/database.md that takes everything away, beside a table that another program uses.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Client } from "pg";
import { migrate } from "../../drizzle/migrate.ts";
import { connected, startTestPostgres, type TestPostgres } from "../support/postgres.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres({ fsync: "off" });
});
afterAll(() => postgres.remove());

const config = () => {
  const { host, port, user, password } = postgres;
  return { host, port, user, password, database: "postgres" };
};
const ours = async (client: Client) => {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relname ~ 'mcp_' AND relnamespace = 'public'::regnamespace
      UNION ALL SELECT proname FROM pg_proc WHERE proname ~ '^mcp_'
      UNION ALL SELECT attname FROM pg_attribute WHERE attrelid = 'mcp_sessions'::regclass AND attnum > 0 AND NOT attisdropped
      UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
};

test("the script leaves the table of another program as it was, and db:migrate can begin again", async () => {
  await connected(config(), async (client) => {
    await client.query(
      `CREATE TABLE mcp_sessions (session_id TEXT PRIMARY KEY, created_at TIMESTAMPTZ DEFAULT now(),
         last_active TIMESTAMPTZ DEFAULT now(), expires_at TIMESTAMPTZ, capabilities JSONB DEFAULT '{}',
         client_info JSONB DEFAULT '{}', summary TEXT)`,
    );
    await client.query("CREATE INDEX idx_mcp_sessions_expires ON mcp_sessions (expires_at)");
    await client.query("INSERT INTO mcp_sessions (session_id, summary) VALUES ('theirs', 'kept')");
    const before = await ours(client);

    await migrate(config());
    await client.query("INSERT INTO mcp_sessions (session_id, principal) VALUES ('ours', 'alice')");
    expect(await ours(client)).not.toEqual(before);

    const script = readFileSync("ops/postgres/remove.sql", "utf8");
    await client.query(script);
    expect(await ours(client)).toEqual(before);
    const { rows } = await client.query("SELECT session_id, summary FROM mcp_sessions");
    expect(rows).toEqual([{ session_id: "theirs", summary: "kept" }]);

    expect(await migrate(config())).not.toEqual([]);
    expect(await migrate(config())).toEqual([]);
    await client.query(script);
  });
});
