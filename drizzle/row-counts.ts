// Counts rows that stand against an adoption. It reads them only, and no value of theirs leaves PostgreSQL in a message.
import { type Client, escapeLiteral } from "pg";
import type { SharedTable } from "./shared-table.ts";

/** What is to be counted, by the names of columns as statements need them. */
export interface RowQuestions {
  /** Values that stand in more than one row. */
  repeated: string[];
  nulls: string[];
  values: string[];
  /** Values that are not JSON as jsonb takes it. */
  notJson: string[];
}

/** The counts by the names of columns; only those that were asked for. */
export type RowCounts = Record<keyof RowQuestions, Record<string, number>>;

export async function countRows(
  client: Client,
  { quoted: table }: SharedTable,
  questions: RowQuestions,
): Promise<RowCounts> {
  const counts: RowCounts = { repeated: {}, nulls: {}, values: {}, notJson: {} };
  const rows = `FROM ONLY ${table}`;
  const numberOf = async (query: string) =>
    Number((await client.query<{ count: string }>(query)).rows[0]?.count);
  for (const column of questions.repeated) {
    const groups = `SELECT ${rows} WHERE ${column} IS NOT NULL GROUP BY ${column} HAVING count(*) > 1`;
    counts.repeated[column] = await numberOf(`SELECT count(*) FROM (${groups}) AS repeated`);
  }
  for (const column of questions.nulls) {
    counts.nulls[column] = await numberOf(`SELECT count(*) ${rows} WHERE ${column} IS NULL`);
  }
  for (const column of questions.values) {
    counts.values[column] = await numberOf(`SELECT count(*) ${rows} WHERE ${column} IS NOT NULL`);
  }
  for (const column of questions.notJson) {
    await client.query(countNotJson(column, rows));
    counts.notJson[column] = await numberOf(`SELECT current_setting('${RESULT}') AS count`);
  }
  return counts;
}

const RESULT = "mcp_sessions.not_json";

/**
 * pg_input_is_valid() is there from PostgreSQL 16 on only. A DO block runs in a transaction that is read-only, too, where no
 * function can be made. A setting of the transaction takes its result out.
 */
function countNotJson(column: string, rows: string): string {
  // A value can also be too deep, or too big.
  const isRefused = "WHEN data_exception OR program_limit_exceeded THEN";
  return `DO ${escapeLiteral(`
    DECLARE
      value text;
      refused bigint := 0;
    BEGIN
      BEGIN
        -- All at once first: most often all of them are JSON.
        PERFORM count(${column}::text::jsonb) ${rows};
      EXCEPTION ${isRefused}
        FOR value IN SELECT ${column}::text ${rows} WHERE ${column} IS NOT NULL LOOP
          BEGIN
            PERFORM value::jsonb;
          EXCEPTION ${isRefused}
            refused := refused + 1;
          END;
        END LOOP;
      END;
      PERFORM set_config('${RESULT}', refused::text, true);
    END`)}`;
}
