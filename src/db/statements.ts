// Statements over Neon's HTTP driver. Drizzle writes their text and numbers their parameters; its query builders, which nothing
// here uses, stay out of the bundle.
import { neon, neonConfig, types } from "@neondatabase/serverless";
import type { SQL } from "drizzle-orm";
import { CasingCache } from "drizzle-orm/casing";

/** Sends statements, one HTTP request each. */
export interface Statements {
  /** Throws what the driver throws. */
  execute(statement: SQL): Promise<{ rows: Record<string, unknown>[]; rowCount: number }>;
}

// Times of any year stay as PostgreSQL writes them: a Date has fewer. The object ids of date, timestamp, timestamptz and interval,
// and of arrays of them (PostgreSQL, pg_type.dat).
const asText = new Set([1082, 1114, 1184, 1186, 1182, 1115, 1185, 1187]);
const getTypeParser: typeof types.getTypeParser = (oid, format) =>
  asText.has(oid) ? (text: string) => text : types.getTypeParser(oid, format);

/** How an answer's values are read. */
export const parsers = { getTypeParser };

const dialect = {
  casing: new CasingCache(),
  escapeName: (name: string) => `"${name.replaceAll('"', '""')}"`,
  escapeParam: (index: number) => `$${index + 1}`,
  escapeString: (text: string) => `'${text.replaceAll("'", "''")}'`,
};

export interface Address {
  url: string;
  /** URL to send the statements to instead of Neon's, for development; empty for none. */
  endpointOverride: string;
}

const neonEndpoint = neonConfig.fetchEndpoint;

/** @param signal aborts each statement. */
export function statementsOn({ url, endpointOverride }: Address, signal: AbortSignal): Statements {
  // The driver has this setting once for all clients (@neondatabase/serverless, CONFIG.md).
  neonConfig.fetchEndpoint = endpointOverride === "" ? neonEndpoint : endpointOverride;
  const client = neon(url, {
    fetchOptions: { signal },
    fullResults: true,
  });
  return {
    execute(statement) {
      const { sql, params } = statement.toQuery(dialect);
      return client.query(sql, params, { types: parsers });
    },
  };
}
