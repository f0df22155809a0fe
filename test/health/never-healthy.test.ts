// While no session can be opened, health is never healthy, whatever the cause: it is 503 with the reason, and with write=1 it
// names the step that fails.
import { describe, expect, test } from "vitest";
import { logged } from "../support/captured-logs.ts";
import { canOpen, health, run, storeUp } from "../support/health.ts";
import { addTrigger, setForRole } from "../support/owner.ts";
import { asSuperuser, createDatabase, nameOf, type TestDatabase } from "../support/worker.ts";

const before = (events: string, body: string) => (database: TestDatabase) =>
  addTrigger(database, events, body);

type Case = [
  name: string,
  doIt: (database: TestDatabase) => Promise<void>,
  reason: string,
  failed: Record<string, string | null>,
];

const causes: Case[] = [
  [
    "a column that must be given",
    run("ALTER TABLE mcp_sessions ADD COLUMN tenant_id text NOT NULL"),
    "write_rejected",
    { step: "open", sqlstate: "23502", table: "mcp_sessions", column: "tenant_id" },
  ],
  [
    "a key that is gone",
    run("ALTER TABLE mcp_sessions DROP CONSTRAINT mcp_sessions_pkey"),
    "write_rejected",
    { step: "open", sqlstate: "42P10" },
  ],
  [
    "a check constraint",
    run("ALTER TABLE mcp_sessions ADD CONSTRAINT short CHECK (length(session_id) < 40)"),
    "write_rejected",
    { step: "open", sqlstate: "23514", constraint: "short" },
  ],
  [
    "a column of another type",
    run("ALTER TABLE mcp_sessions ALTER principal TYPE uuid USING NULL"),
    "write_rejected",
    { step: "open", sqlstate: "42804" },
  ],
  [
    "a column that is gone",
    run("ALTER TABLE mcp_sessions DROP COLUMN client_info"),
    "schema_missing",
    { step: "open", sqlstate: "42703" },
  ],
  [
    "a column of the counts that is gone",
    run("ALTER TABLE mcp_sessions RENAME expires_at TO valid_until"),
    "schema_missing",
    { step: "open", sqlstate: "42703" },
  ],
  [
    "a trigger that raises",
    before("INSERT", "RAISE EXCEPTION 'of the owner'"),
    "write_rejected",
    { step: "open", sqlstate: "P0001" },
  ],
  [
    "a trigger that raises a code of connections",
    before("INSERT", "RAISE EXCEPTION 'of the owner' USING ERRCODE = '28000'"),
    "permission_denied",
    { step: "open", sqlstate: "28000" },
  ],
  [
    "a trigger at the end of the transaction",
    run(
      "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN RAISE EXCEPTION 'late'; END $t$",
      "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON mcp_sessions DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late()",
    ),
    "write_rejected",
    { step: "open", sqlstate: "P0001" },
  ],
  [
    "a trigger that swallows inserts",
    before("INSERT", "RETURN NULL"),
    "write_rejected",
    { step: "resume", sqlstate: null, symptom: "hidden" },
  ],
  [
    "a rule that swallows inserts",
    run("CREATE RULE swallow AS ON INSERT TO mcp_sessions DO INSTEAD NOTHING"),
    "write_rejected",
    { step: "resume", sqlstate: null, symptom: "hidden" },
  ],
  [
    "a policy",
    run(
      "ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
      "CREATE POLICY p ON mcp_sessions USING (principal IS NULL)",
    ),
    "permission_denied",
    { step: "open", sqlstate: "42501" },
  ],
  [
    "a right that was taken away",
    run("REVOKE INSERT ON mcp_sessions FROM mcp"),
    "permission_denied",
    { step: "open", sqlstate: "42501" },
  ],
  [
    "a routine that the role may not execute",
    run("REVOKE EXECUTE ON FUNCTION mcp_open_session FROM PUBLIC, mcp"),
    "permission_denied",
    { step: "open", sqlstate: "42501" },
  ],
  [
    "a role that is read-only",
    (database) => setForRole(database, "default_transaction_read_only = on"),
    "read_only",
    { step: "open", sqlstate: "25006" },
  ],
  [
    "a database that is read-only",
    async (database) => {
      const { url, query } = database;
      await query(`ALTER DATABASE ${nameOf(url)} SET default_transaction_read_only = on`);
      // A connection whose statement has failed is not used again.
      await query("SELECT 1 / 0").catch(() => {});
    },
    "read_only",
    { step: "open", sqlstate: "25006" },
  ],
  [
    "a key that is deferrable",
    run(
      "ALTER TABLE mcp_sessions DROP CONSTRAINT mcp_sessions_pkey",
      "ALTER TABLE mcp_sessions ADD PRIMARY KEY (session_id) DEFERRABLE",
    ),
    "write_rejected",
    { step: "open", sqlstate: "55000" },
  ],
  [
    "a foreign key",
    run(
      "CREATE TABLE users (name text PRIMARY KEY)",
      "ALTER TABLE mcp_sessions ADD CONSTRAINT of_user FOREIGN KEY (principal) REFERENCES users",
    ),
    "write_rejected",
    { step: "open", sqlstate: "23503", constraint: "of_user" },
  ],
  [
    "a publication of some rows, by a column that is not in the key",
    async (database) => {
      await asSuperuser("CREATE PUBLICATION p FOR TABLE mcp_sessions WHERE (principal = 'bob')", database);
    },
    "write_rejected",
    { step: "open", sqlstate: "42P10" },
  ],
  [
    "a policy while row_security is off",
    async (database) => {
      await run(
        "ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "CREATE POLICY p ON mcp_sessions USING (principal IS NOT NULL)",
      )(database);
      await setForRole(database, "row_security = off");
    },
    "permission_denied",
    { step: "open", sqlstate: "42501" },
  ],
  [
    "a publication without a replica identity",
    run("ALTER TABLE mcp_sessions REPLICA IDENTITY NOTHING", "CREATE PUBLICATION p FOR TABLE mcp_sessions"),
    "write_rejected",
    { step: "open", sqlstate: "55000" },
  ],
];

describe("health is 503, the store is down, and no session can be opened, because of", () => {
  test.each(causes)("%s", async (_name, doIt, reason, failed) => {
    const database = await createDatabase();
    await doIt(database);
    expect(await canOpen(database)).toBe(false);

    const plain = await health(database);
    expect(plain).toMatchObject({
      status: 503,
      body: { status: "unhealthy", database: "connected", reason },
    });
    expect(plain.body).not.toHaveProperty("failed_step");
    expect(logged("Session health check failed")).toMatchObject([{ reason, step: failed["step"] }]);
    expect(await storeUp(database.env())).toBe("0");

    const nothing = { sqlstate: null, symptom: null, table: null, column: null, constraint: null };
    const tried = await health(database, "/session-health?write=1");
    expect(tried).toMatchObject({ status: 503, body: { reason, failed_step: failed } });
    expect(Object.keys(tried.body.failed_step ?? {}).toSorted()).toEqual(
      Object.keys({ step: "", ...nothing }).toSorted(),
    );
  });
});

// Not of the trial: the census never comes to it, or has no answer.
describe("health is 503, and no session can be opened, under a role with", () => {
  test.each([
    ["statement_timeout = '1ms'", "timeout"],
    ["search_path = pg_catalog", "schema_missing"],
  ])("%s", async (setting, reason) => {
    const database = await createDatabase();
    await setForRole(database, setting);
    expect(await canOpen(database)).toBe(false);
    expect(await health(database)).toMatchObject({ status: 503, body: { status: "unhealthy", reason } });
  });
});

describe("health is 200, and a session can be opened, under a role with", () => {
  test.each([
    "default_transaction_isolation = 'repeatable read'",
    "default_transaction_isolation = serializable",
    "default_transaction_deferrable = on",
    "lock_timeout = '1ms'",
    "idle_in_transaction_session_timeout = '1ms'",
    "idle_session_timeout = '1s'",
    "row_security = off",
  ])("%s", async (setting) => {
    const database = await createDatabase();
    await setForRole(database, setting);
    expect(await canOpen(database)).toBe(true);
    expect(await health(database, "/session-health?write=1")).toMatchObject({
      status: 200,
      body: { status: "healthy" },
    });
  });
});
