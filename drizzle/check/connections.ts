// How the Worker reaches the database: over HTTP.
import { sql } from "drizzle-orm";
import { connect } from "../../src/db/client.ts";
import type { ConnectionString } from "../../src/db/connection-string.ts";
import { isNeonHost } from "../../src/db/neon-host.ts";
import type { RunStatement } from "../trial.ts";

// The Worker's own, for a request (MCP_SESSION_TIMEOUT_MS).
const HTTP_BUDGET_MS = 10_000;

/**
 * Runs statements as the Worker does.
 * @param endpoint NEON_ENDPOINT_OVERRIDE
 * @returns undefined when the host is not Neon's and there is no endpoint. What it returns throws DatabaseFault.
 */
export function overHttp(
  { url, host }: ConnectionString,
  endpoint: string | undefined,
): RunStatement | undefined {
  if (!endpoint && !isNeonHost(host)) return undefined;
  const database = connect({ url, endpointOverride: endpoint ?? "" });
  return (statement) =>
    database.run({ name: "db:check", budgetMs: HTTP_BUDGET_MS, isIdempotent: true }, async (db) => {
      const { rows } = await db.execute(sql.raw(statement));
      return rows;
    });
}
