// Judges the tables of a database, and converts mcp_sessions where that was asked for. A conversion is one statement in the
// migration's transaction: all of it or nothing.
import { type Client, DatabaseError } from "pg";
import type { Circumstances, Conversion } from "./judgement.ts";
import { type Adoption, judgeShared, questionsOf, refusalsOfOwn, SHARED } from "./adoption.ts";
import type { Catalog } from "./catalog.ts";
import { countRows } from "./row-counts.ts";
import { readSharedTable } from "./shared-table.ts";

/** Judges what is there. Changes nothing. */
export async function adoptionOf(
  client: Client,
  schema: string,
  catalog: Catalog,
  given: Pick<Circumstances, "isNew" | "convert">,
): Promise<Adoption> {
  const own = refusalsOfOwn(catalog, schema);
  const table = await readSharedTable(client, schema);
  if (table === undefined) return { refusals: own, conversions: [], notes: [] };
  const counts = await countRows(client, table, questionsOf(table, given.isNew));
  const { refusals, ...rest } = judgeShared(table, { counts, ...given });
  return { ...rest, refusals: [...refusals, ...own] };
}

/** @throws Error without a value of a row in its message. */
export async function applyConversions(client: Client, conversions: readonly Conversion[]): Promise<void> {
  if (conversions.length === 0) return;
  const actions = conversions.flatMap((conversion) => conversion.actions);
  await client.query(`ALTER TABLE ${SHARED} ${actions.join(", ")}`).catch((error: unknown) => {
    const code = error instanceof DatabaseError ? (error.code ?? "") : "";
    // PostgreSQL's words show the value: a class 22 is about a value, a class 23 about a row.
    throw /^2[23]/.test(code) ? new Error(`a value of ${SHARED} cannot be converted (${code})`) : error;
  });
}

const VERBS = {
  planned: { convert: "Would convert", add: "Would add", rewrite: "Would rewrite" },
  done: { convert: "Converted", add: "Added", rewrite: "Rewrote" },
} as const;

/** One line for each conversion, and one when they rewrite the table. */
export function conversionLines(conversions: readonly Conversion[], tense: keyof typeof VERBS): string[] {
  const verbs = VERBS[tense];
  const rewrites = conversions.some(({ rewritesTable }) => rewritesTable);
  return [
    ...conversions.map(({ verb, subject }) => `${verbs[verb]} ${subject}`),
    ...(rewrites ? [`${verbs.rewrite} ${SHARED}: nobody can read or write it meanwhile`] : []),
  ];
}
