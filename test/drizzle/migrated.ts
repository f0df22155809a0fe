// Databases that db:migrate has made, as copies of one; and what such a database is, however it was reached.
import type { ClientConfig } from "pg";
import { beforeAll, expect } from "vitest";
import { driftOf, migrate } from "../../drizzle/migrate.ts";
import { adminOf, counted, createDatabase, createDatabaseFrom, query, schemaOf } from "./databases.ts";

const TEMPLATE = "migrated_template";
let fresh: string[];
beforeAll(async () => {
  const config = await createDatabase();
  await migrate(config);
  fresh = await schemaOf(config);
  await query(adminOf("postgres"), `ALTER DATABASE ${String(config.database)} RENAME TO ${TEMPLATE}`);
});

/** What db:migrate makes of an empty database. */
export const freshSchema = () => fresh;

/** A migrated database, after `statements`. */
export const createMigrated = (...statements: string[]) => createDatabaseFrom(TEMPLATE, ...statements);

/** It is as if it had been migrated today, nothing is left to do, and the number of sessions is right. */
export async function expectFinished(config: ClientConfig, total?: number): Promise<void> {
  expect(await schemaOf(config)).toEqual(fresh);
  expect(await driftOf(config)).toEqual([]);
  const right = total === undefined ? { is_right: true } : { total, is_right: true };
  expect(await query(config, counted)).toMatchObject([right]);
}
