// Indexes are built beside the readers and writers of a table; those of another program are left alone, or used.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClientConfig } from "pg";
import { describe, expect, test } from "vitest";
import { readComments } from "../../dev/reference/comments.ts";
import { declaredTables } from "../../drizzle/catalog.ts";
import { readSqlFiles } from "../../drizzle/files.ts";
import { driftOf, migrate, Unfinished } from "../../drizzle/migrate.ts";
import { connected } from "../support/postgres.ts";
import {
  applyFormer,
  counted,
  createDatabase,
  pythonTable,
  query,
  schemaOf,
  untilWaiting,
  valueOf,
  withCopy,
} from "./databases.ts";
import { createMigrated, expectFinished } from "./migrated.ts";

const INDEX = "idx_mcp_sessions_expires";
const FILE = `indexes/${INDEX}.sql`;
const TABLE = pythonTable.filter((statement) => !statement.includes("INDEX"));

const indexesOf = async (config: ClientConfig) =>
  (await query(config, "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1")).map(
    ({ indexname }) => String(indexname),
  );
const oidOf = (config: ClientConfig, name: string) => valueOf(config, `SELECT '${name}'::regclass::oid`);

test("one that was dropped is built, and a transaction that has written keeps no other writer out", async () => {
  const config = await createMigrated(`DROP INDEX ${INDEX}`);
  const line = `${INDEX}: missing in the database`;
  expect(await driftOf(config)).toEqual([`Would build ${line}`]);
  await connected(config, async (writer) => {
    await writer.query("BEGIN");
    await writer.query("INSERT INTO mcp_sessions (session_id) VALUES ('open')");
    const migrated = migrate(config);
    await untilWaiting(config, migrated);
    // Behind a lock of CREATE INDEX alone, this would wait for the writer above.
    await query(config, "INSERT INTO mcp_sessions (session_id) VALUES ('another')");
    await writer.query("COMMIT");
    expect(await migrated).toEqual([`Built ${line}`]);
  });
  await expectFinished(config);
});

test("one whose build was interrupted is built again", async () => {
  const config = await createMigrated();
  await query(config, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '${INDEX}'::regclass`);
  const before = await oidOf(config, INDEX);
  expect(await migrate(config)).toEqual([`Built ${INDEX}: its last build did not finish`]);
  expect(await oidOf(config, INDEX)).not.toBe(before);
  await expectFinished(config);
});

test("one that somebody has changed is replaced, and queries have an index all the while", async () => {
  const config = await createMigrated();
  await query(config, `DROP INDEX ${INDEX}`, `CREATE INDEX ${INDEX} ON mcp_sessions (expires_at DESC)`);
  const before = await oidOf(config, INDEX);
  await connected(config, async (writer) => {
    await writer.query("BEGIN");
    await writer.query("INSERT INTO mcp_sessions (session_id) VALUES ('open')");
    const migrated = migrate(config);
    // While the new one is built, and waits for the writer, the old one is there.
    await untilWaiting(config, migrated);
    expect(await oidOf(config, INDEX)).toBe(before);
    expect(await indexesOf(config)).toContain(`${INDEX}_new`);
    await writer.query("COMMIT");
    expect(await migrated).toEqual([`Built ${INDEX}: changed in the database`]);
  });
  await expectFinished(config);
});

test("a changed statement replaces the index, and a changed comment does not", async () => {
  const config = await createMigrated();
  const before = await oidOf(config, INDEX);
  await withCopy("drizzle", async (folder) => {
    const write = (text: string) => writeFileSync(join(folder, FILE), text);
    const statement = readFileSync(join(folder, FILE), "utf8");
    write(`-- Another comment.\n${statement}`);
    expect(await migrate(config, folder)).toEqual([]);
    write(statement.replace("(expires_at)", "(expires_at, session_id)"));
    expect(await migrate(config, folder)).toEqual([`Built ${INDEX}: its file has changed`]);
    expect(await valueOf(config, `SELECT pg_get_indexdef('${INDEX}'::regclass)`)).toContain(
      "(expires_at, session_id)",
    );
    expect(await oidOf(config, INDEX)).not.toBe(before);
    expect(await migrate(config, folder)).toEqual([]);
  });
  expect(await migrate(config)).toEqual([`Built ${INDEX}: its file has changed`]);
  await expectFinished(config);
});

test("one without a file is dropped, and another program's stays", async () => {
  const config = await createMigrated();
  await query(config, "CREATE INDEX idx_mcp_sessions_theirs ON mcp_sessions (created_at)");
  const before = await schemaOf(config);
  await withCopy("drizzle", async (folder) => {
    const path = join(folder, "indexes/idx_mcp_sessions_more.sql");
    const statement =
      "CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_mcp_sessions_more ON mcp_sessions (log_level);";
    writeFileSync(path, statement);
    expect(await migrate(config, folder)).toEqual(["Built idx_mcp_sessions_more: not built yet"]);
    rmSync(path);
    expect(await driftOf(config, folder)).toEqual(["Would drop idx_mcp_sessions_more: its file is gone"]);
    expect(await migrate(config, folder)).toEqual(["Dropped idx_mcp_sessions_more: its file is gone"]);
    expect(await migrate(config, folder)).toEqual([]);
  });
  expect(await schemaOf(config)).toEqual(before);
});

test("one that a former version made is dropped without its file, but for the one that adopted tables bring", async () => {
  const config = await createDatabase();
  await applyFormer(config, 11);
  await withCopy("drizzle", async (folder) => {
    rmSync(join(folder, `indexes/${INDEX}.sql`));
    expect(await migrate(config, folder)).toContain("Dropped idx_mcp_sessions_principal: its file is gone");
  });
  expect(await indexesOf(config)).toContain(INDEX);
  await migrate(config);
  await expectFinished(config);
});

describe("on an adopted table", () => {
  test.each([
    ["an index", "CREATE INDEX theirs ON mcp_sessions (expires_at)"],
    [
      "one with another fillfactor",
      "CREATE INDEX theirs ON mcp_sessions (expires_at) WITH (fillfactor = 70)",
    ],
  ])("%s on the same column alone is used, and named", async (_, statement) => {
    const config = await createDatabase(...TABLE, statement);
    const note = `Note: ${INDEX} is not built, because theirs is the same index`;
    expect(await driftOf(config)).not.toContain(`Would build ${INDEX}: not built yet`);
    expect(await migrate(config)).toContain(note);
    expect(await indexesOf(config)).not.toContain(INDEX);
    expect(await migrate(config)).toEqual([note]);
    await query(config, "DROP INDEX theirs");
    expect(await migrate(config)).toEqual([`Built ${INDEX}: not built yet`]);
  });

  test.each([
    [
      "over a part of the rows",
      "CREATE INDEX theirs ON mcp_sessions (expires_at) WHERE session_summary IS NULL",
    ],
    ["on more columns", "CREATE INDEX theirs ON mcp_sessions (expires_at, created_at)"],
    ["that includes a column", "CREATE INDEX theirs ON mcp_sessions (expires_at) INCLUDE (created_at)"],
    ["in another order", "CREATE INDEX theirs ON mcp_sessions (expires_at DESC)"],
    ["of another kind", "CREATE INDEX theirs ON mcp_sessions USING hash (expires_at)"],
    ["on another column", "CREATE INDEX theirs ON mcp_sessions (last_active)"],
    ["on an expression", "CREATE INDEX theirs ON mcp_sessions ((expires_at IS NULL))"],
  ])("an index %s is not taken for the same", async (_, statement) => {
    const config = await createDatabase(...TABLE, statement);
    expect(await migrate(config)).toContain(`Built ${INDEX}: not built yet`);
    expect(await indexesOf(config)).toEqual(expect.arrayContaining(["theirs", INDEX]));
    expect(await migrate(config)).toEqual([]);
  });

  test("an index that is not valid is not taken for the same", async () => {
    const config = await createDatabase(
      ...TABLE,
      "CREATE INDEX theirs ON mcp_sessions (expires_at)",
      "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'theirs'::regclass",
    );
    expect(await migrate(config)).toContain(`Built ${INDEX}: not built yet`);
  });

  test("another program's index of our name stays as it is, and is named", async () => {
    const config = await createDatabase(...TABLE, `CREATE INDEX ${INDEX} ON mcp_sessions (created_at)`);
    const before = await oidOf(config, INDEX);
    const note = `Note: the index ${INDEX} is another program's, and not on (expires_at). Rename it to have ours built`;
    expect(await migrate(config)).toContain(note);
    expect(await migrate(config)).toEqual([note]);
    expect(await oidOf(config, INDEX)).toBe(before);
    await query(config, `ALTER INDEX ${INDEX} RENAME TO theirs`);
    expect(await migrate(config)).toEqual([`Built ${INDEX}: not built yet`]);
  });
});

test("what keeps an index from being built is said; the rest is done, and the next run finishes it", async () => {
  const config = await createDatabase(...TABLE, "CREATE TABLE idx_mcp_sessions_by_handle ()");
  const error = await migrate(config).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Unfinished);
  const { message, done } = error as Unfinished;
  expect(message).toBe("idx_mcp_sessions_by_handle: something else has the name idx_mcp_sessions_by_handle");
  expect(done).toEqual(
    expect.arrayContaining([
      "Applied 0000_baseline: not applied yet",
      "Recounted the sessions",
      "Built idx_mcp_sessions_by_owner: not built yet",
    ]),
  );
  // The Worker can work meanwhile.
  const opening = "SELECT mcp_open_session('new', 'alice', '2025-11-25', '{}', '{}', 60, NULL, 5)";
  expect(await valueOf(config, opening)).toBe(0);
  expect(await query(config, counted)).toEqual([{ total: 1001, is_right: true }]);
  await query(config, "DROP TABLE idx_mcp_sessions_by_handle");
  expect(await migrate(config)).toEqual(["Built idx_mcp_sessions_by_handle: not built yet"]);
});

test("a file in indexes/ that does not create what its name says is refused", async () => {
  await withCopy("drizzle", async (folder) => {
    for (const text of [
      "CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_other ON mcp_sessions (expires_at);",
      `CREATE INDEX IF NOT EXISTS ${INDEX} ON mcp_sessions (expires_at);`,
    ]) {
      writeFileSync(join(folder, FILE), text);
      expect(() => readSqlFiles(folder)).toThrow(
        `drizzle/${FILE} must hold CREATE INDEX CONCURRENTLY IF NOT EXISTS ${INDEX} ON …`,
      );
    }
  });
});

test("each file says what its index is for, in the words of src/db/schema.ts", () => {
  const schemas = readdirSync("src/db").filter((file) => file.endsWith("schema.ts"));
  const comments = readComments(
    schemas.map((file) => readFileSync(`src/db/${file}`, "utf8")).join("\n"),
  ).indexes;
  const files = readdirSync("drizzle/indexes").map((file) => file.replace(/\.sql$/, ""));
  const declared = declaredTables.flatMap(({ indexes }) => indexes.map(({ name }) => name));
  expect(files.toSorted()).toEqual(declared.toSorted());
  for (const { name, text } of readSqlFiles("drizzle").indexes) {
    const comment = [...text.matchAll(/^-- (.*)$/gm)].map(([, line]) => line).join(" ");
    expect(comment, name).toBe(comments.get(name));
  }
});
