// The tables of 503s in docs/operate.md, row by row. Each cause in them is brought about, and health, clients, scrapes and
// operators get what its row says.
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import type { Fault } from "../../dev/neon/switchboard.ts";
import clientsPage from "../../docs/clients.md?raw";
import operatePage from "../../docs/operate.md?raw";
import { type FaultKind, faultKinds } from "../../src/db/fault.ts";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { poll } from "../support/cleanup.ts";
import { run, storeUp } from "../support/health.ts";
import { initializeParams, mcp } from "../support/mcp.ts";
import { addTrigger, disconnect, setForRole } from "../support/owner.ts";
import { tableOf, unquoted } from "../support/tables.ts";
import {
  asSuperuser,
  becomeReplica,
  bearer,
  createDatabase,
  keys,
  nameOf,
  send,
  setFaults,
  startPostgres,
  stopPostgres,
  type TestDatabase,
} from "../support/worker.ts";

interface Cause {
  bring?: (database: TestDatabase) => Promise<unknown>;
  /** The Worker's DATABASE_URL, when it is another one. */
  url?: (database: TestDatabase) => string;
  /** How long health and clients wait. */
  timeoutMs?: number;
  /** Takes away what outlives the database of the test. */
  end?: (database: TestDatabase) => Promise<unknown>;
}

const fault = (kind: Fault): Cause => ({ bring: () => setFaults({ fault: kind }) });
const sql = (...statements: string[]): Cause => ({ bring: run(...statements) });
const onInsert = (body: string): Cause => ({ bring: (database) => addTrigger(database, "INSERT", body) });

const roleOf = ({ url }: TestDatabase) => `of_${nameOf(url)}`;
/** A role that is let in, or not, because of `options`. */
const asRole = (options: string): Cause => ({
  bring: (database) =>
    asSuperuser(
      `CREATE ROLE ${roleOf(database)} ${options} PASSWORD '${inject("databasePassword")}'`,
      database,
    ),
  url: (database) => database.url.replace("//mcp:", `//${roleOf(database)}:`),
  end: (database) => asSuperuser(`DROP ROLE ${roleOf(database)}`, database),
});

const lockQuery = "DO $$ BEGIN LOCK TABLE mcp_sessions; PERFORM pg_sleep(600); END $$";
const isLockQuery = "query LIKE 'DO $$ BEGIN LOCK TABLE%' AND datname = current_database()";

const wrongPassword = keepSecret("another-password-0123456789");

const causes: Record<FaultKind, Record<string, Cause>> = {
  database_unreachable: {
    "Neon or its compute is down": { bring: stopPostgres, end: startPostgres },
    "it is starting": fault({ kind: "refused-by-postgres", sqlstate: "57P03" }),
    "it is in maintenance": fault({ kind: "maintenance" }),
    "the endpoint was deleted": fault({ kind: "endpoint-deleted" }),
    "the endpoint was disabled": fault({ kind: "endpoint-disabled" }),
    "the database was renamed": {
      async bring(database) {
        const name = nameOf(database.url);
        await disconnect(database);
        await asSuperuser(`ALTER DATABASE ${name} RENAME TO ${name}_former`, database, "postgres");
      },
    },
  },
  timeout: {
    "a table is locked": {
      async bring({ query }) {
        query(lockQuery).catch(() => {});
        await poll(() => query("SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"));
      },
      end: ({ query }) => query(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE ${isLockQuery}`),
    },
    "a statement takes long": onInsert("PERFORM pg_sleep(60)"),
    "a compute takes too long to wake": fault({ kind: "latency", ms: 60_000 }),
  },
  overloaded: {
    "too many connections": {
      async bring(database) {
        await database.query(`ALTER DATABASE ${nameOf(database.url)} CONNECTION LIMIT 0`);
        await disconnect(database);
      },
    },
    // No other device is full for sure.
    "the disk is full": {
      async bring(database) {
        await asSuperuser(
          `CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
             $t$ BEGIN COPY (SELECT repeat('x', 1000000)) TO '/dev/full'; RETURN NEW; END $t$`,
          database,
        );
        await database.query(
          "CREATE TRIGGER fill BEFORE INSERT ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION fill()",
        );
      },
    },
    // Of the locks; PostgreSQL takes a moment to fill that.
    "memory is full": {
      ...onInsert("PERFORM pg_advisory_xact_lock_shared(i) FROM generate_series(1, 1000000) i"),
      timeoutMs: 30_000,
    },
  },
  quota_exceeded: {
    "the plan's compute time, transfer or storage is used up": fault({ kind: "quota" }),
    "too many computes are active": fault({ kind: "too-many-endpoints" }),
  },
  permission_denied: {
    "a wrong password": { url: ({ url }) => url.replace(/:[^:@]+@/, `:${wrongPassword}@`) },
    "the role may not log in": asRole("NOLOGIN"),
    "the role has expired": asRole("LOGIN VALID UNTIL '2020-01-01'"),
    "the role lacks a right": sql("REVOKE INSERT ON mcp_sessions FROM mcp"),
    "a policy refuses the row": sql(
      "ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
      "CREATE POLICY p ON mcp_sessions USING (principal IS NULL)",
    ),
    "Neon's list of allowed addresses keeps the Worker out": fault({ kind: "ip-not-allowed" }),
    "the Neon project blocks the public network": fault({ kind: "blocked-network" }),
  },
  schema_missing: {
    "a table is not there": sql("ALTER TABLE mcp_sessions RENAME TO former"),
    "a column is not there": sql("ALTER TABLE mcp_sessions DROP COLUMN client_info"),
    "a routine is not there": sql("ALTER ROUTINE mcp_open_session RENAME TO former"),
  },
  read_only: {
    "a read replica": { bring: () => becomeReplica(true), end: () => becomeReplica(false) },
    "`default_transaction_read_only`": {
      bring: (database) => setForRole(database, "default_transaction_read_only = on"),
    },
  },
  write_rejected: {
    "a column that must be filled": sql("ALTER TABLE mcp_sessions ADD COLUMN tenant text NOT NULL"),
    "a key that is missing": sql("ALTER TABLE mcp_sessions DROP CONSTRAINT mcp_sessions_pkey"),
    "a column of another type": sql("ALTER TABLE mcp_sessions ALTER principal TYPE uuid USING NULL"),
    "a constraint": sql("ALTER TABLE mcp_sessions ADD CHECK (length(session_id) < 40)"),
    "a trigger that raises": onInsert("RAISE EXCEPTION 'no'"),
    "a trigger that swallows the row": onInsert("RETURN NULL"),
    "a rule that swallows the row": sql(
      "CREATE RULE swallow AS ON INSERT TO mcp_sessions DO INSTEAD NOTHING",
    ),
    "a publication without a replica identity": sql(
      "ALTER TABLE mcp_sessions REPLICA IDENTITY NOTHING",
      "CREATE PUBLICATION p FOR TABLE mcp_sessions",
    ),
  },
  internal: {
    "anything else, such as wrong SQL in a trigger of another program": onInsert("EXECUTE 'SELEC 1'"),
  },
};

const reasons = tableOf(operatePage, "reason", "clients get").map(([reason = "", code = "", all = ""]) => ({
  reason: unquoted(reason),
  code: unquoted(code),
  causes: all.split("; "),
}));

test("the table of reasons has a row for each, and its causes are those that are tried here", () => {
  expect(reasons.map(({ reason }) => reason).toSorted()).toEqual(faultKinds.toSorted());
  expect(Object.fromEntries(reasons.map((row) => [row.reason, row.causes]))).toEqual(
    Object.fromEntries(Object.entries(causes).map(([reason, tried]) => [reason, Object.keys(tried)])),
  );
});

const kinds = Object.fromEntries(
  tableOf(operatePage, "code", "`Retry-After`").map(([code = "", retryAfter = ""]) => [
    unquoted(code),
    retryAfter === "none" ? null : retryAfter,
  ]),
);

const messages: Record<string, string> = {
  sessions_unavailable: "The session store cannot be reached; try again",
  sessions_unusable: "The session store cannot be used; its operator must act",
};

test("the two kinds of 503 are the same in every table", () => {
  expect(Object.keys(kinds)).toEqual(Object.keys(messages));
  for (const [code, message] of Object.entries(messages)) {
    const row = tableOf(clientsPage, "status and code", "why").find(([, why = ""]) => why.includes(message));
    const [, retryAfter = null] = /`Retry-After: (\d+)`/.exec(row?.[1] ?? "") ?? [];
    expect(retryAfter).toBe(kinds[code]);
  }
});

test("the table of what Neon is has each reason, with what clients get of it", () => {
  const named = tableOf(operatePage, "Neon is …", "MCP clients").flatMap(([, clients = "", monitor = ""]) => {
    const [, code] = /`(sessions_\w+)`/.exec(clients) ?? [];
    return [...monitor.matchAll(/`(\w+)`/g)].map(([, reason]) => ({ reason, code }));
  });
  const codeOf = new Map(reasons.map(({ reason, code }) => [reason, code]));
  expect(new Set([...named.map(({ reason }) => reason), "internal"])).toEqual(new Set(faultKinds));
  for (const { reason, code = "sessions_unavailable" } of named) expect(codeOf.get(reason ?? "")).toBe(code);
});

const each = reasons.flatMap(({ reason, code }) =>
  Object.entries(causes[reason as FaultKind] ?? {}).map(([name, cause]) => ({ reason, code, name, cause })),
);

describe.each(each)("$reason, because of this: $name", ({ reason, code, cause }) => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createDatabase();
  });
  afterEach(async () => {
    await setFaults();
    await cause.end?.(database);
  });

  test("health, clients, scrapes and operators are told so", async () => {
    await cause.bring?.(database);
    const timeoutMs = String(cause.timeoutMs ?? 1000);
    const env = database.env({
      HEALTH_TIMEOUT_MS: timeoutMs,
      MCP_SESSION_TIMEOUT_MS: timeoutMs,
      ...(cause.url !== undefined && { DATABASE_URL: cause.url(database) }),
    });
    const retryAfter = kinds[code];

    const response = await send(env, "/session-health", bearer(keys.health));
    expect(await response.json()).toMatchObject({ status: "unhealthy", reason });
    expect([response.status, response.headers.get("Retry-After")]).toEqual([503, retryAfter && "30"]);
    expect(await storeUp(env)).toBe("0");

    const opening = await mcp(env, { method: "initialize", params: initializeParams });
    expect([opening.status, opening.headers.get("Retry-After")]).toEqual([503, retryAfter]);
    expect(await opening.json()).toMatchObject({ error: { code: -32603, message: messages[code] } });
    expect(opening.headers.get("Mcp-Session-Id")).toBeNull();
    expect(logged("MCP session store failed")).toMatchObject([{ level: "ERROR", kind: reason }]);
  });
});

test("a compute that wakes in time is no failure", async () => {
  const database = await createDatabase();
  await setFaults({ fault: { kind: "latency", ms: 300 } });
  expect((await send(database.env(), "/session-health", bearer(keys.health))).status).toBe(200);
  await setFaults();
});
