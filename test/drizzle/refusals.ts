// A refusal of db:migrate: it changes nothing, and the statements in it make the table fit.
import { type ClientConfig, escapeIdentifier } from "pg";
import { expect } from "vitest";
import { reasonOf } from "../../drizzle/connection.ts";
import { driftOf, migrate } from "../../drizzle/migrate.ts";
import { query, schemaOf, valueOf } from "./databases.ts";

/** Every row of mcp_sessions, as a hash. */
export const rowsOf = (config: ClientConfig, table = "mcp_sessions") =>
  valueOf(config, `SELECT md5(coalesce(string_agg(r::text, E'\\n' ORDER BY r::text), '')) FROM ${table} r`);

/** What the refusal says. Neither the schema nor a row has been changed, and --plan has said the same. */
export async function refusalOf(
  config: ClientConfig,
  { convert = false, schema = "public" }: { convert?: boolean; schema?: string } = {},
): Promise<string> {
  const table = `${escapeIdentifier(schema)}.mcp_sessions`;
  const isReadable = await valueOf(
    config,
    `SELECT relkind NOT IN ('S', 'i', 'c', 'f') FROM pg_class WHERE oid = to_regclass('${table}')`,
  );
  const look = async () => [
    await schemaOf(config, schema),
    isReadable === true ? await rowsOf(config, table) : "",
  ];
  const before = await look();
  const failure = await migrate(config, undefined, { convert }).then(
    (lines) => lines,
    (error: unknown) => reasonOf(error),
  );
  expect(failure, "It was adopted").toEqual(expect.any(String));
  await expect(driftOf(config, undefined, { convert })).rejects.toThrow(String(failure));
  expect(await look()).toEqual(before);
  return String(failure);
}

/** The statements of a refusal, in their order. */
export const statementsOf = (refusal: string) =>
  refusal.split("\n").filter((line) => line.startsWith("      ") && line.endsWith(";"));

/** Does what refusals say until the table is adopted; returns the statements that it took. */
export async function adoptByStatements(config: ClientConfig): Promise<string[]> {
  const done: string[] = [];
  // A renamed column is missing next, so there may be a second refusal; a third would not be clear.
  for (let attempt = 1; attempt <= 3; attempt++) {
    const outcome = await migrate(config).catch((error: unknown) => reasonOf(error));
    if (typeof outcome !== "string") return done;
    const statements = statementsOf(outcome);
    expect(statements, outcome).not.toEqual([]);
    await query(config, ...statements);
    done.push(...statements);
  }
  throw new Error(`Still refused after:\n${done.join("\n")}`);
}
