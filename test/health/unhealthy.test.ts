// Each reason of a 503, from its real cause. What Neon answers when it cannot serve is in test/recovery/matrix.test.ts.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { FaultKind } from "../../src/db/fault.ts";
import { keepSecret, logged } from "../support/captured-logs.ts";
import { poll } from "../support/cleanup.ts";
import { lockSessions } from "../support/locks.ts";
import { addTrigger, setForRole } from "../support/owner.ts";
import {
  bearer,
  createDatabase,
  keys,
  send,
  setFaults,
  startPostgres,
  stopPostgres,
  type TestDatabase,
} from "../support/worker.ts";

// The shortest delays between attempts.
beforeEach(() => {
  vi.spyOn(Math, "random").mockReturnValue(0);
});
afterEach(() => setFaults());

// Time for every attempt, also on a busy machine: one that its budget cuts short would be a timeout.
const patient = { HEALTH_TIMEOUT_MS: "30000" };

const waitingHelps: FaultKind[] = ["database_unreachable", "timeout", "overloaded"];

async function expectUnhealthy(env: Env, database: "connected" | "disconnected", reason: FaultKind) {
  const response = await send(env, "/session-health", bearer(keys.health));
  const text = await response.text();
  expect(response.status, text).toBe(503);
  expect(response.headers.get("Retry-After")).toBe(waitingHelps.includes(reason) ? "30" : null);
  expect(response.headers.get("Cache-Control")).toBe("no-store");
  const { timestamp } = JSON.parse(text);
  expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(text).toBe(
    `{"status":"unhealthy","database":"${database}","total_sessions":null,"active_sessions":null,"expired_sessions":null,"reason":"${reason}","timestamp":"${timestamp}"}`,
  );
  expect(logged("Session health check failed")).toEqual([
    expect.objectContaining({ level: "ERROR", reason }),
  ]);
}

const withPassword = ({ url }: TestDatabase, password: string) => url.replace(/:[^:@]+@/, `:${password}@`);

test("PostgreSQL stopped: database_unreachable, and healthy once it is back", async () => {
  const database = await createDatabase();
  await stopPostgres();
  try {
    await expectUnhealthy(database.env(patient), "disconnected", "database_unreachable");
  } finally {
    await startPostgres();
  }
  expect((await send(database.env(), "/session-health", bearer(keys.health))).status).toBe(200);
});

test("nothing listens at the endpoint: database_unreachable", async () => {
  const database = await createDatabase();
  // Port 9, discard: nobody has it.
  const env = database.env({ NEON_ENDPOINT_OVERRIDE: "http://127.0.0.1:9/sql", ...patient });
  await expectUnhealthy(env, "disconnected", "database_unreachable");
});

test("the database hangs: timeout, at the configured deadline", async () => {
  const database = await createDatabase();
  await setFaults({ fault: { kind: "hang" } });
  const ended: string[] = [];
  const other = send(database.env({ HEALTH_TIMEOUT_MS: "4000" }), "/session-health", bearer(keys.health));
  const isOver = other.then(() => ended.push("the one with more time"));
  await expectUnhealthy(database.env({ HEALTH_TIMEOUT_MS: "300" }), "disconnected", "timeout");
  ended.push("the one with less, which began later");
  await isOver;
  expect(ended).toEqual(["the one with less, which began later", "the one with more time"]);
});

test("a lock on the table: timeout, and the abandoned query is cancelled", async () => {
  const database = await createDatabase();
  const lock = await lockSessions(database);
  await expectUnhealthy(database.env({ HEALTH_TIMEOUT_MS: "300" }), "disconnected", "timeout");
  await poll(() =>
    database.query("SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'relation')"),
  );
  await lock.release();
});

test("a statement_timeout of the role: timeout, from a database that answers", async () => {
  const database = await createDatabase();
  await addTrigger(database, "INSERT", "PERFORM pg_sleep(60)");
  await setForRole(database, "statement_timeout = '200ms'");
  await expectUnhealthy(database.env(), "connected", "timeout");
});

test("REVOKE: permission_denied", async () => {
  const database = await createDatabase();
  await database.query("REVOKE SELECT ON mcp_sessions FROM mcp");
  await expectUnhealthy(database.env(), "connected", "permission_denied");
});

test("a wrong password: permission_denied", async () => {
  const url = withPassword(await createDatabase(), keepSecret("not-the-password"));
  const database = await createDatabase();
  await expectUnhealthy(database.env({ DATABASE_URL: url }), "disconnected", "permission_denied");
});

test("no tables yet: schema_missing", async () => {
  const database = await createDatabase({ empty: true });
  await expectUnhealthy(database.env(), "connected", "schema_missing");
});

test("no such database: database_unreachable", async () => {
  const database = await createDatabase();
  const env = database.env({ DATABASE_URL: `${database.url}_gone` });
  await expectUnhealthy(env, "disconnected", "database_unreachable");
});

test("a table of another shape: schema_missing", async () => {
  const database = await createDatabase();
  await database.query("ALTER TABLE mcp_sessions RENAME expires_at TO valid_until");
  await expectUnhealthy(database.env(), "connected", "schema_missing");
});

test("an error of PostgreSQL's own: internal", async () => {
  const database = await createDatabase();
  await addTrigger(database, "INSERT", "RAISE EXCEPTION 'broken' USING ERRCODE = 'XX001'");
  await expectUnhealthy(database.env(), "connected", "internal");
});

test("a constraint of the owner: write_rejected", async () => {
  const database = await createDatabase();
  await database.query("ALTER TABLE mcp_sessions ADD COLUMN tenant_id text NOT NULL");
  await expectUnhealthy(database.env(), "connected", "write_rejected");
});

test("a read-only role: read_only", async () => {
  const database = await createDatabase();
  await setForRole(database, "default_transaction_read_only = on");
  await expectUnhealthy(database.env(), "connected", "read_only");
});

test("a trial that may succeed a little later is repeated in time", async () => {
  const database = await createDatabase();
  await database.query("CREATE SEQUENCE tries");
  await addTrigger(
    database,
    "INSERT",
    "IF nextval('tries') < 3 THEN RAISE EXCEPTION 'busy' USING ERRCODE = '40001'; END IF",
  );
  expect((await send(database.env(), "/session-health", bearer(keys.health))).status).toBe(200);
  expect(await database.query("SELECT last_value FROM tries")).toEqual([{ last_value: "3" }]);
});
