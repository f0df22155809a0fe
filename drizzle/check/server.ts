// The server, the way to it, and the settings of the Worker's role.
import type { Client } from "pg";
import type { ConnectionString } from "../../src/db/connection-string.ts";
import { directHost } from "../connection.ts";
import { isolationRefusal } from "../isolation.ts";
import { cleanupSettings } from "../../src/cleanup/settings.ts";
import type { Finding } from "./finding.ts";
import { rowsOf } from "./subject.ts";

// CREATE OR REPLACE TRIGGER and date_bin() came with 14. The tests run on 15 and 18.
const OLDEST = 14;
const NEWEST = 18;

export async function lookAtServer(client: Client, target: ConnectionString): Promise<Finding[]> {
  const [server] = await rowsOf<{ version: number; role: string; database: string; is_replica: boolean }>(
    client,
    `SELECT current_setting('server_version_num')::int / 10000 AS version, quote_ident(session_user) AS role,
            quote_ident(current_database()) AS database, pg_is_in_recovery() AS is_replica`,
  );
  if (server === undefined) return [];
  const { version, role, database, is_replica: isReplica } = server;
  return [
    ...versionFindings(version),
    ...poolerFindings(target),
    ...(isReplica ? [replica] : []),
    ...(await isolationFindings(client)),
    ...(await settingFindings(client, `ALTER ROLE ${role} IN DATABASE ${database} SET`)),
  ];
}

/** @param version of PostgreSQL, such as 18 */
export function versionFindings(version: number): Finding[] {
  if (version < OLDEST) {
    return [
      {
        level: "error",
        about: "server_version",
        what: `The server is PostgreSQL ${version}.`,
        means: `The routines of this project need ${OLDEST} or newer.`,
        todo: "Upgrade the server.",
      },
    ];
  }
  if (version <= NEWEST) return [];
  return [
    {
      level: "warning",
      about: "server_version",
      what: `The server is PostgreSQL ${version}.`,
      means: `This project was tested up to ${NEWEST}.`,
      todo: "Run the tests on this version: POSTGRES_BIN=… npm run test:postgres.",
    },
  ];
}

function poolerFindings({ host, port, parameters }: ConnectionString): Finding[] {
  const isNeons = directHost(host) !== host;
  // 6432 is PgBouncer's port, 6543 that of Supabase's pooler.
  if (!isNeons && ![6432, 6543].includes(port) && parameters.get("pgbouncer") !== "true") return [];
  return [
    {
      level: "note",
      about: "pooler",
      what: "The connection string leads to a pooler.",
      means: isNeons
        ? "The Worker does not mind: it speaks HTTP. db:migrate and this check go past it."
        : "A migration needs settings that last for a session, which a pooler in transaction mode does not keep.",
      todo: isNeons ? "" : "Give db:migrate a connection string that leads to the server itself.",
    },
  ];
}

const replica: Finding = {
  level: "error",
  about: "read_only",
  what: "The server is a read replica.",
  means: "Finding a session also writes to it, so the Worker cannot use a replica.",
  todo: "Use the endpoint of the primary.",
};

async function isolationFindings(client: Client): Promise<Finding[]> {
  const refusal = await isolationRefusal(client);
  if (refusal === undefined) return [];
  const [what = "", todo = ""] = refusal.split(". Run: ");
  return [
    {
      level: "error",
      about: "isolation",
      what: `${what[0]?.toUpperCase()}${what.slice(1)}.`,
      means: "Otherwise requests that come together fail with 40001, and limits do not hold.",
      todo,
    },
  ];
}

interface Setting {
  about: string;
  is: (value: string) => boolean;
  level: Finding["level"];
  means: string;
  /** What to set it to. */
  to: string;
}

const isBelow = (limitMs: number) => (value: string) => Number(value) > 0 && Number(value) < limitMs;

const budgetMs = cleanupSettings.shape.MCP_CLEANUP_TIME_BUDGET_MS.parse(undefined);

// Times are in milliseconds, as pg_settings has them. 0 is no limit.
const settings: Record<string, Setting> = {
  default_transaction_read_only: {
    about: "read_only",
    is: (value) => value === "on",
    level: "error",
    means: "The Worker can write nothing: every initialize is refused with 503.",
    to: "off",
  },
  statement_timeout: {
    about: "statement_timeout",
    // A run uses half of it.
    is: isBelow(2 * budgetMs),
    level: "warning",
    means: "A cleanup run stops after half of this time, so that large ones end as partial.",
    to: `'${(2 * budgetMs) / 1000}s'`,
  },
  transaction_timeout: {
    about: "transaction_timeout",
    // Longer than any transaction of a run or a request, unless it waits for a lock.
    is: isBelow(10_000),
    level: "warning",
    means: "A request or a cleanup that waits for a lock loses its connection.",
    to: "0",
  },
  lock_timeout: {
    about: "lock_timeout",
    // Requests of one principal wait for each other for milliseconds.
    is: isBelow(1000),
    level: "warning",
    means: "Requests that come together fail with 55P03 instead of waiting for a moment.",
    to: "0",
  },
  idle_in_transaction_session_timeout: {
    about: "idle_in_transaction_session_timeout",
    // Between two statements of a migration there is a round trip.
    is: isBelow(5000),
    level: "note",
    means: "The Worker does not mind, but db:migrate may be cut off between two statements.",
    to: "0",
  },
  session_replication_role: {
    about: "session_replication_role",
    is: (value) => value !== "origin",
    level: "warning",
    means: "The triggers that count sessions do not run, so the counts of health and metrics are wrong.",
    to: "origin",
  },
};

async function settingFindings(client: Client, set: string): Promise<Finding[]> {
  const rows = await rowsOf<{ name: string; value: string; shown: string }>(
    client,
    "SELECT name, setting AS value, current_setting(name) AS shown FROM pg_settings WHERE name = ANY ($1)",
    [Object.keys(settings)],
  );
  return rows.flatMap(({ name, value, shown }): Finding[] => {
    const setting = settings[name];
    if (setting === undefined || !setting.is(value)) return [];
    const { about, level, means, to } = setting;
    return [
      { level, about, what: `${name} of this role is ${shown}.`, means, todo: `${set} ${name} = ${to};` },
    ];
  });
}
