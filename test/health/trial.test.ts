// Health tells the truth about a table that others have a hand in: while a session cannot be opened it is never healthy, and
// with write=1 it names the step of a session's life that does not work.
import { describe, expect, test } from "vitest";
import { logged } from "../support/captured-logs.ts";
import { initializeParams, mcp, open, rowsOf } from "../support/mcp.ts";
import { addTrigger, setForRole } from "../support/owner.ts";
import {
  asWorkerRole,
  bearer,
  createDatabase,
  databaseRequests,
  keys,
  send,
  type TestDatabase,
} from "../support/worker.ts";

interface Answer {
  status: string;
  database: string;
  reason?: string;
  reasons?: string[];
  failed_step?: Record<string, unknown>;
}

async function health({ env }: TestDatabase, path = "/session-health") {
  const response = await send(env(), path, bearer(keys.health));
  return { status: response.status, body: await response.json<Answer>() };
}

async function storeUp({ env }: TestDatabase): Promise<string | undefined> {
  const text = await (await send(env(), "/metrics", bearer(keys.metrics))).text();
  return /^mcp_session_store_up (\d)$/m.exec(text)?.[1];
}

/** Whether a client can open a session and use it. */
async function canOpen({ env }: TestDatabase): Promise<boolean> {
  const opened = await mcp(env(), { method: "initialize", params: initializeParams });
  const session = opened.headers.get("Mcp-Session-Id") ?? undefined;
  if (session === undefined) return false;
  return (await mcp(env(), { method: "tools/list" }, { session })).ok;
}

const run =
  (...statements: string[]) =>
  async (database: TestDatabase) => {
    for (const statement of statements) await database.query(statement);
  };
const before = (events: string, body: string, table?: string) => (database: TestDatabase) =>
  addTrigger(database, events, body, table);

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
    expect(await storeUp(database)).toBe("0");

    const nothing = { sqlstate: null, symptom: null, table: null, column: null, constraint: null };
    const tried = await health(database, "/session-health?write=1");
    expect(tried).toMatchObject({ status: 503, body: { reason, failed_step: failed } });
    expect(Object.keys(tried.body.failed_step ?? {}).toSorted()).toEqual(
      Object.keys({ step: "", ...nothing }).toSorted(),
    );
  });
});

const later: Case[] = [
  [
    "a unique constraint on another column",
    run("ALTER TABLE mcp_sessions ADD CONSTRAINT one_each UNIQUE (principal)"),
    "write_rejected",
    { step: "open", sqlstate: "23505", constraint: "one_each" },
  ],
  [
    "an exclusion constraint",
    run("ALTER TABLE mcp_sessions ADD CONSTRAINT one_each EXCLUDE (principal WITH =)"),
    "write_rejected",
    { step: "open", sqlstate: "23P01", constraint: "one_each" },
  ],
  [
    "a trigger on updates",
    before("UPDATE", "RAISE EXCEPTION 'of the owner'"),
    "write_rejected",
    { step: "resume", sqlstate: "P0001" },
  ],
  [
    "a document of another type",
    run("ALTER TABLE mcp_sessions ALTER state TYPE text"),
    "schema_missing",
    { step: "write_state", sqlstate: "42883" },
  ],
  [
    "a check on log levels",
    run("ALTER TABLE mcp_sessions ADD CONSTRAINT loud CHECK (log_level = 'error')"),
    "write_rejected",
    { step: "set_log_level", sqlstate: "23514", constraint: "loud" },
  ],
  [
    "a trigger that revives sessions",
    before("UPDATE", "NEW.ended_at := NULL"),
    "write_rejected",
    { step: "end", symptom: "ignored", column: "ended_at" },
  ],
  [
    "a trigger on the records of runs",
    before("INSERT", "RAISE EXCEPTION 'of the owner'", "mcp_cleanup_runs"),
    "write_rejected",
    { step: "record_run", sqlstate: "P0001" },
  ],
  [
    "a trigger that keeps deleted sessions",
    before("DELETE", "RETURN NULL"),
    "write_rejected",
    { step: "delete", symptom: "kept" },
  ],
];

describe("with write=1 health is 503 because of", () => {
  test.each(later)("%s", async (_name, doIt, reason, failed) => {
    const database = await createDatabase();
    await doIt(database);
    expect(await health(database)).toMatchObject({ status: 200, body: { status: "healthy" } });
    expect(await health(database, "/session-health?write=1")).toMatchObject({
      status: 503,
      body: { status: "unhealthy", database: "connected", reason, failed_step: failed },
    });
  });
});

describe("what the opening of a session does not need is missed all the same:", () => {
  test.each([
    ["UPDATE", "mcp_sessions", "SELECT, INSERT, UPDATE, DELETE", "SELECT, INSERT, DELETE"],
    ["DELETE", "mcp_sessions", "SELECT, INSERT, UPDATE, DELETE", "SELECT, INSERT, UPDATE"],
    ["DELETE", "mcp_cleanup_runs", "SELECT, INSERT, UPDATE, DELETE", "SELECT, INSERT, UPDATE"],
    ["INSERT", "mcp_cleanup_runs", "SELECT, INSERT, UPDATE, DELETE", "SELECT, UPDATE, DELETE"],
  ])("%s on %s", async (_right, table, all, fewer) => {
    const owner = await createDatabase();
    const role = await asWorkerRole(owner, [`${all} ON ${table}`, `${fewer} ON ${table}`]);
    expect(await health(role)).toMatchObject({ status: 503, body: { reason: "permission_denied" } });
    await asWorkerRole(owner);
    expect(await health(role)).toMatchObject({ status: 200, body: { status: "healthy" } });
  });

  test("the right to execute the cleanup", async () => {
    const owner = await createDatabase();
    await owner.query("REVOKE EXECUTE ON PROCEDURE mcp_cleanup_sessions FROM PUBLIC");
    const role = await asWorkerRole(owner, [
      "GRANT EXECUTE ON PROCEDURE mcp_cleanup_sessions TO mcp_worker;",
      "",
    ]);
    expect(await health(role)).toMatchObject({ status: 503, body: { reason: "permission_denied" } });
  });

  test("the cleanup itself", async () => {
    const database = await createDatabase();
    await database.query("DROP PROCEDURE mcp_cleanup_sessions");
    expect(await health(database)).toMatchObject({ status: 503, body: { reason: "schema_missing" } });
  });

  test("a right on every column is enough", async () => {
    const owner = await createDatabase();
    const [all] = await owner.query(
      "SELECT string_agg(quote_ident(attname), ', ') AS columns FROM pg_attribute WHERE attrelid = 'mcp_sessions'::regclass AND attnum > 0",
    );
    const columns = String(all?.["columns"]);
    const role = await asWorkerRole(owner, [
      "SELECT, INSERT, UPDATE, DELETE ON mcp_sessions",
      `SELECT, INSERT, UPDATE (${columns}), DELETE ON mcp_sessions`,
    ]);
    expect(await health(role, "/session-health?write=1")).toMatchObject({ status: 200 });
  });
});

describe("row-level security degrades health", () => {
  const secured = async (...policies: string[]) => {
    const owner = await createDatabase();
    const role = await asWorkerRole(owner);
    await run("ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY", ...policies)(owner);
    return role;
  };
  const rowsHidden = { status: 200, body: { status: "degraded", reasons: ["rows_hidden"] } };
  const healthy = { status: 200, body: { status: "healthy" } };

  test.each([
    [
      "when its policy may hide rows",
      ["CREATE POLICY p ON mcp_sessions USING (principal <> 'bob')"],
      rowsHidden,
    ],
    [
      "when a restrictive policy may",
      [
        "CREATE POLICY p ON mcp_sessions USING (true)",
        "CREATE POLICY q ON mcp_sessions AS RESTRICTIVE FOR DELETE USING (principal <> 'bob')",
      ],
      rowsHidden,
    ],
    [
      "when the policy that hides nothing is another role's",
      [
        "CREATE POLICY p ON mcp_sessions TO mcp USING (true)",
        "CREATE POLICY q ON mcp_sessions TO mcp_worker USING (principal <> 'bob')",
      ],
      rowsHidden,
    ],
    [
      "not when its policy hides nothing",
      ["CREATE POLICY p ON mcp_sessions TO mcp_worker USING (true)"],
      healthy,
    ],
  ])("%s", async (_name, policies, expected) => {
    expect(await health(await secured(...policies))).toMatchObject(expected);
  });

  test("not of the owner, whom it does not concern", async () => {
    const owner = await createDatabase();
    await run("ALTER TABLE mcp_sessions ENABLE ROW LEVEL SECURITY")(owner);
    expect(await health(owner)).toMatchObject(healthy);
  });
});

test("a trial is part of the one statement, changes no count and leaves no row", async () => {
  const database = await createDatabase();
  await open(database.env());
  const requests = await databaseRequests();
  const plain = await health(database);
  const whole = await health(database, "/session-health?write=1");
  expect((await databaseRequests()) - requests).toBe(2);
  expect(whole.body).toMatchObject({ status: "healthy", total_sessions: 1 });
  expect({ ...whole.body, timestamp: "" }).toEqual({ ...plain.body, timestamp: "" });
  expect(await rowsOf(database)).toHaveLength(1);
  const metrics = await (await send(database.env(), "/metrics", bearer(keys.metrics))).text();
  expect(metrics).toContain("mcp_sessions_opened_total 1\n");
});

test("another value of write is 400 and makes no query", async () => {
  const { env } = await createDatabase();
  const requests = await databaseRequests();
  expect((await send(env(), "/session-health?write=yes", bearer(keys.health))).status).toBe(400);
  expect(await databaseRequests()).toBe(requests);
});
