// How the Worker reaches the database: over HTTP, where the parameters of a connection string mean nothing.
import { sql } from "drizzle-orm";
import type { ClientConfig } from "pg";
import { connect } from "../../src/db/client.ts";
import { directUrl } from "../connection.ts";
import type { RunStatement } from "../trial.ts";

// The Worker's own, for a request (MCP_SESSION_TIMEOUT_MS).
const HTTP_BUDGET_MS = 10_000;

/** A connection over TCP with the settings that the Worker has. */
export function workerConfig(connectionString: string): ClientConfig {
  return { connectionString: direct(connectionString, true).href };
}

/** A connection as db:migrate makes it. */
export function migrationConfig(connectionString: string): ClientConfig {
  return { connectionString: direct(connectionString, false).href };
}

/** Whether the connection string sets something that the Worker does not get. */
export const hasOptions = (connectionString: string) => new URL(connectionString).searchParams.has("options");

function direct(connectionString: string, withoutOptions: boolean): URL {
  const url = new URL(directUrl(connectionString));
  if (withoutOptions) url.searchParams.delete("options");
  // Such a name is always this machine (RFC 6761), but few resolvers know. `npm run dev` has one.
  if (url.hostname.endsWith(".localhost")) url.hostname = "127.0.0.1";
  return url;
}

/**
 * Runs statements as the Worker does.
 * @param endpoint NEON_ENDPOINT_OVERRIDE
 * @returns undefined when the host is not Neon's and there is no endpoint. What it returns throws DatabaseFault.
 */
export function overHttp(connectionString: string, endpoint: string | undefined): RunStatement | undefined {
  const { hostname } = new URL(connectionString);
  if (!endpoint && !/\.neon\.(tech|build)$/.test(hostname)) return undefined;
  const database = connect({ url: connectionString, endpointOverride: endpoint ?? "" });
  return (statement) =>
    database.run({ name: "db:check", budgetMs: HTTP_BUDGET_MS, isIdempotent: true }, async (db) => {
      const { rows } = await db.execute(sql.raw(statement));
      return rows;
    });
}
