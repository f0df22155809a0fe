// Each reason of a 503 for which waiting does not help, by a real cause: what clients, operators and the log get of it.
import { afterEach, describe, expect, test, vi } from "vitest";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { initializeParams, mcp, open, rowsOf } from "../support/mcp.ts";
import {
  bearer,
  createDatabase,
  databaseRequests,
  keys,
  send,
  setFaults,
  type TestDatabase,
} from "../support/worker.ts";

afterEach(() => setFaults());

interface Cause {
  name: string;
  kind: string;
  sqlstate?: string;
  bring: (database: TestDatabase) => Promise<unknown>;
  /** It stops openings, and nothing else. */
  isForOpenings?: true;
  /** The Worker's DATABASE_URL, when it is another one. */
  url?: (database: TestDatabase) => string;
}

const wrongPassword = ({ url }: TestDatabase) => {
  const wrong = new URL(url);
  wrong.password = keepSecret("another-password-0123456789");
  return String(wrong);
};

/** Changes a setting of the database, which connections take when they are made. */
async function readOnly({ url, query }: TestDatabase) {
  await query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET default_transaction_read_only = on`);
  // A connection whose statement has failed is not used again.
  await expect(query("SELECT 1 / 0")).rejects.toMatchObject({ code: "22012" });
}

const causes: Cause[] = [
  {
    name: "a wrong password",
    kind: "permission_denied",
    bring: async () => {},
    url: wrongPassword,
  },
  {
    name: "a right that is missing",
    kind: "permission_denied",
    sqlstate: "42501",
    bring: ({ query }) => query("REVOKE ALL ON mcp_sessions FROM mcp"),
  },
  {
    name: "a routine that is missing",
    kind: "schema_missing",
    sqlstate: "42883",
    isForOpenings: true,
    bring: ({ query }) => query("ALTER ROUTINE mcp_open_session RENAME TO former"),
  },
  {
    name: "a table that is missing",
    kind: "schema_missing",
    sqlstate: "42P01",
    bring: ({ query }) => query("ALTER TABLE mcp_sessions RENAME TO former"),
  },
  { name: "a database that takes no writes", kind: "read_only", sqlstate: "25006", bring: readOnly },
  {
    name: "a column that must be filled",
    kind: "write_rejected",
    sqlstate: "23502",
    isForOpenings: true,
    bring: ({ query }) => query("ALTER TABLE mcp_sessions ADD COLUMN tenant text NOT NULL"),
  },
  {
    name: "a constraint",
    kind: "write_rejected",
    sqlstate: "23514",
    isForOpenings: true,
    bring: ({ query }) => query("ALTER TABLE mcp_sessions ADD CHECK (principal <> 'alice')"),
  },
  {
    name: "a trigger with an SQLSTATE of its own",
    kind: "write_rejected",
    sqlstate: "MY001",
    isForOpenings: true,
    async bring({ query }) {
      await query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'MY001'; END $$`);
      await query(
        "CREATE TRIGGER refuse BEFORE INSERT ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION refuse()",
      );
    },
  },
  {
    name: "a network that Neon blocks",
    kind: "permission_denied",
    bring: () => setFaults({ fault: { kind: "blocked-network" } }),
  },
  {
    name: "an address that Neon does not allow",
    kind: "permission_denied",
    bring: () => setFaults({ fault: { kind: "ip-not-allowed" } }),
  },
  {
    name: "too many active computes",
    kind: "quota_exceeded",
    bring: () => setFaults({ fault: { kind: "too-many-endpoints" } }),
  },
  { name: "a quota", kind: "quota_exceeded", bring: () => setFaults({ fault: { kind: "quota" } }) },
];

const refusal = "The session store cannot be used; its operator must act";
const ping = { method: "ping" };

describe.each(causes)("$name", ({ kind, sqlstate, bring, url }) => {
  test("a client is told once, and not to come back by itself", async () => {
    const database = await createDatabase();
    await bring(database);
    const env = database.env(url === undefined ? {} : { DATABASE_URL: url(database) });
    const before = await databaseRequests();
    const response = await mcp(env, { method: "initialize", params: initializeParams });
    expect([response.status, response.headers.get("Retry-After")]).toEqual([503, null]);
    expect(await response.json()).toEqual({
      jsonrpc: "2.0",
      error: { code: -32603, message: refusal },
      id: null,
    });
    expect(response.headers.get("Mcp-Session-Id")).toBeNull();
    expect((await databaseRequests()) - before).toBe(1);
    expect(logged("MCP session store failed")).toEqual([
      expect.objectContaining({ level: "ERROR", kind, ...(sqlstate !== undefined && { sqlstate }) }),
    ]);
  });
});

const forAll = causes.filter(({ isForOpenings }) => !isForOpenings);

test.each(forAll)("$name, in degraded mode: only an outage is served over", async ({ kind, bring, url }) => {
  const database = await createDatabase();
  const session = await open(database.env());
  await bring(database);
  const env = database.env({
    MCP_DEGRADED_MODE: "serve",
    ...(url !== undefined && { DATABASE_URL: url(database) }),
  });
  const response = await mcp(env, ping, { session });
  expect([response.status, response.headers.get("Mcp-Session-Degraded")]).toEqual(
    kind === "quota_exceeded" ? [200, "true"] : [503, null],
  );
});

test("a use that the table refuses is no outage either", async () => {
  const database = await createDatabase();
  const worker = database.env({ MCP_DEGRADED_MODE: "serve" });
  const session = await open(worker);
  await database.query("UPDATE mcp_sessions SET last_active = now() - interval '1 hour'");
  const [before] = await rowsOf(database);
  await database.query(
    "ALTER TABLE mcp_sessions ADD CHECK (last_active < now() - interval '1 minute') NOT VALID",
  );
  const response = await mcp(worker, ping, { session });
  expect([response.status, response.headers.get("Retry-After")]).toEqual([503, null]);
  expect(logged("MCP session store failed")).toMatchObject([{ kind: "write_rejected", sqlstate: "23514" }]);
  expect(await rowsOf(database)).toEqual([before]);
});

test("a quota opens the circuit, and both doors go on saying that waiting does not help", async () => {
  const database = await createDatabase();
  const env = database.env();
  const tell = async (response: Response) => [response.status, response.headers.get("Retry-After")];
  const initialize = () => mcp(env, { method: "initialize", params: initializeParams });
  const health = () => send(env, "/session-health", bearer(keys.health));
  await setFaults({ fault: { kind: "quota" } });
  for (let i = 0; i < 5; i += 1) expect(await tell(await initialize())).toEqual([503, null]);
  expect(logged("Database circuit opened")).toMatchObject([{ kind: "quota_exceeded" }]);

  const before = await databaseRequests();
  const refused = await initialize();
  expect(await tell(refused)).toEqual([503, null]);
  expect(await refused.json()).toMatchObject({ error: { message: refusal } });
  const listed = await send(env, "/sessions", bearer(keys.admin));
  expect(await tell(listed)).toEqual([503, null]);
  expect(await listed.json()).toMatchObject({ error: { code: "sessions_unusable", kind: "quota_exceeded" } });
  expect(await databaseRequests()).toBe(before);

  const unhealthy = await health();
  expect(await tell(unhealthy)).toEqual([503, null]);
  expect(await unhealthy.json()).toMatchObject({ status: "unhealthy", reason: "quota_exceeded" });
  // It always asks, and so it is what closes the circuit when the quota is raised.
  expect(await databaseRequests()).toBe(before + 1);
  await setFaults();
  expect(await tell(await health())).toEqual([200, null]);
  expect((await initialize()).status).toBe(200);
});

describe("an operator with a key of the scope admin sees the kind and the SQLSTATE", () => {
  const endAll = (env: Env, key = keys.admin) =>
    send(env, "/sessions?principal=alice", { method: "DELETE", ...bearer(key) });

  test.each(forAll)("$name", async ({ kind, sqlstate = null, bring, url }) => {
    const database = await createDatabase();
    await bring(database);
    const env = database.env(url === undefined ? {} : { DATABASE_URL: url(database) });
    const response = await endAll(env);
    expect([response.status, response.headers.get("Retry-After")]).toEqual([503, null]);
    const request_id = response.headers.get("X-Request-Id");
    expect(await response.json()).toEqual({
      error: { code: "sessions_unusable", message: refusal, request_id, kind, sqlstate },
    });
  });

  test("of an outage too", async () => {
    const database = await createDatabase();
    await setFaults({ fault: { kind: "refused-by-postgres", sqlstate: "53300" } });
    // The shortest delays between attempts, and time for all of them.
    vi.spyOn(Math, "random").mockReturnValue(0);
    const response = await endAll(database.env({ MCP_SESSION_TIMEOUT_MS: "30000" }));
    expect([response.status, response.headers.get("Retry-After")]).toEqual([503, "5"]);
    expect(await response.json()).toMatchObject({
      error: { code: "sessions_unavailable", kind: "overloaded", sqlstate: "53300" },
    });
  });
});
