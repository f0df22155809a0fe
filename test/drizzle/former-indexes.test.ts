// Indexes of former versions are dropped when others serve their queries. Those of another program stay, whatever their names.
import type { ClientConfig } from "pg";
import { expect, test } from "vitest";
import { driftOf, migrate, Unfinished } from "../../drizzle/migrate.ts";
import { applyFormer, createDatabase, query, schemaOf, valueOf } from "./databases.ts";
import { createMigrated, expectFinished } from "./migrated.ts";

const PRINCIPALS = "idx_mcp_sessions_principal";
const HANDLES = "idx_mcp_sessions_handle";
const TABLE = `CREATE TABLE mcp_sessions (
  session_id text PRIMARY KEY, created_at timestamptz DEFAULT now(), last_active timestamptz DEFAULT now(),
  expires_at timestamptz, capabilities jsonb DEFAULT '{}', client_info jsonb DEFAULT '{}')`;

/** A database that the last former version left, after `statements`. */
async function createFormer(...statements: string[]): Promise<ClientConfig> {
  const config = await createDatabase();
  await applyFormer(config, 11);
  await query(config, ...statements);
  return config;
}

const oidOf = (config: ClientConfig, name: string) =>
  valueOf(config, `SELECT to_regclass('${name}')::oid::int`);

/** Migrates twice; the index is as it was. */
async function expectKept(config: ClientConfig, name: string): Promise<void> {
  const before = await oidOf(config, name);
  expect(before).toEqual(expect.any(Number));
  const lines = [...(await migrate(config)), ...(await migrate(config))];
  expect(lines.filter((line) => line.includes(`Dropped ${name}`))).toEqual([]);
  expect(await oidOf(config, name)).toBe(before);
}

test("the former index of principals is dropped after the one that replaces it is built", async () => {
  const config = await createFormer();
  const line = `${PRINCIPALS}: its file is gone`;
  expect(await driftOf(config)).toContain(`Would drop ${line}`);
  const lines = await migrate(config);
  expect(lines.slice(-2)).toEqual([expect.stringContaining("Built idx_mcp_sessions"), `Dropped ${line}`]);
  await expectFinished(config);
});

test("when that one cannot be built, the former one stays until it can", async () => {
  const config = await createFormer("CREATE TABLE idx_mcp_sessions_by_owner ()");
  await expect(migrate(config)).rejects.toThrow(Unfinished);
  expect(await oidOf(config, PRINCIPALS)).toEqual(expect.any(Number));
  await query(config, "DROP TABLE idx_mcp_sessions_by_owner");
  expect(await migrate(config)).toEqual([
    "Built idx_mcp_sessions_by_owner: not built yet",
    `Dropped ${PRINCIPALS}: its file is gone`,
  ]);
  await expectFinished(config);
});

test("an index of another program that has the former name stays when it is on other columns", async () => {
  const config = await createFormer(
    `DROP INDEX ${PRINCIPALS}`,
    `CREATE INDEX ${PRINCIPALS} ON mcp_sessions (principal, expires_at)`,
  );
  await expectKept(config, PRINCIPALS);
});

const theirs = `CREATE INDEX ${PRINCIPALS} ON mcp_sessions (principal)`;

test.each([
  ["in a database that was taken over", () => createFormer(), [theirs]],
  ["in a new one", () => createMigrated(), [theirs]],
  ["in one that has lost its journal", () => createMigrated(), [theirs, "DROP TABLE mcp_schema_journal"]],
])("one on the same columns stays when it was made later, %s", async (_, create, statements) => {
  const config = await create();
  await migrate(config);
  await query(config, ...statements);
  await expectKept(config, PRINCIPALS);
});

test("one on the same columns stays when an earlier former version was the last", async () => {
  const config = await createDatabase();
  await applyFormer(config, 1);
  await query(config, "ALTER TABLE mcp_sessions ADD principal text", theirs);
  await expectKept(config, PRINCIPALS);
});

test("an index by a name of ours stays, although the journal has that name for one without a file", async () => {
  const config = await createMigrated(
    "INSERT INTO mcp_schema_journal (name, sha256, definition_sha256) VALUES ('idx_mcp_sessions_more', '', 'of ours')",
    "CREATE INDEX idx_mcp_sessions_more ON mcp_sessions (created_at)",
  );
  await expectKept(config, "idx_mcp_sessions_more");
});

test.each([
  ["new here", () => createDatabase(TABLE)],
  ["to be repaired", () => createMigrated("ALTER TABLE mcp_sessions DROP log_level")],
  ["of a former version", () => createFormer(`DROP INDEX ${HANDLES}`)],
])("an index by the name of the former one of handles stays on a table that is %s", async (_, create) => {
  const config = await create();
  await query(config, `CREATE INDEX ${HANDLES} ON mcp_sessions (created_at)`);
  await expectKept(config, HANDLES);
});

test("the former index of handles is dropped with its function, which the role of another program may not call", async () => {
  const config = await createFormer();
  expect(await oidOf(config, HANDLES)).toEqual(expect.any(Number));
  await migrate(config);
  expect(await oidOf(config, HANDLES)).toBeNull();
  expect((await schemaOf(config)).join("\n")).not.toContain("mcp_session_handle");
});

test.each(["idx_mcp_sessions_by_handle", "idx_mcp_sessions_by_owner"])(
  "another program's index by the name of %s stays, and is named",
  async (name) => {
    const config = await createDatabase(TABLE, `CREATE INDEX ${name} ON mcp_sessions (created_at)`);
    const note = `Note: the index ${name} is another program's, and not what ours is. Rename it to have ours built`;
    expect(await migrate(config)).toContain(note);
    await expectKept(config, name);
    await query(config, `ALTER INDEX ${name} RENAME TO theirs`);
    expect(await migrate(config)).toEqual([`Built ${name}: not built yet`]);
  },
);
