// Statements of one transaction, for rules about the very instant: now() is the same for all of them.
import type { TestDatabase } from "./worker.ts";

/** @returns what the last one, a query of one value, answers. */
export async function atOneInstant(
  { query }: TestDatabase,
  statements: string[],
  last: string,
): Promise<unknown> {
  await query(`CREATE OR REPLACE FUNCTION at_one_instant() RETURNS jsonb LANGUAGE plpgsql AS $body$ BEGIN
    ${statements.map((statement) => `${statement};`).join("\n")}
    RETURN to_jsonb((${last})); END $body$`);
  const [row] = await query("SELECT at_one_instant() AS answer");
  return row?.["answer"];
}
