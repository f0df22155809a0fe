// With write=1 health names the step of a session's life that does not work, also where a session can be opened. And it misses
// what the opening of a session does not need.
import { describe, expect, test } from "vitest";
import { health, run } from "../support/health.ts";
import { open, rowsOf } from "../support/mcp.ts";
import { addTrigger } from "../support/owner.ts";
import {
  asWorkerRole,
  bearer,
  createDatabase,
  databaseRequests,
  keys,
  send,
  type TestDatabase,
} from "../support/worker.ts";

const before = (events: string, body: string, table?: string) => (database: TestDatabase) =>
  addTrigger(database, events, body, table);

type Case = [
  name: string,
  doIt: (database: TestDatabase) => Promise<void>,
  failed: Record<string, string | null>,
];

const healthy = { status: 200, body: { status: "healthy" } };
const refused = (reason: string) => ({ status: 503, body: { status: "unhealthy", reason } });

const later: Case[] = [
  [
    "a unique constraint on another column",
    run("ALTER TABLE mcp_sessions ADD CONSTRAINT one_each UNIQUE (principal)"),
    { step: "open", sqlstate: "23505", constraint: "one_each" },
  ],
  [
    "an exclusion constraint",
    run("ALTER TABLE mcp_sessions ADD CONSTRAINT one_each EXCLUDE (principal WITH =)"),
    { step: "open", sqlstate: "23P01", constraint: "one_each" },
  ],
  [
    "a trigger on updates",
    before("UPDATE", "RAISE EXCEPTION 'of the owner'"),
    { step: "resume", sqlstate: "P0001" },
  ],
  [
    "a document of another type",
    run("ALTER TABLE mcp_sessions ALTER state TYPE text"),
    { step: "write_state", sqlstate: "42883" },
  ],
  [
    "a check on log levels",
    run("ALTER TABLE mcp_sessions ADD CONSTRAINT loud CHECK (log_level = 'error')"),
    { step: "set_log_level", sqlstate: "23514", constraint: "loud" },
  ],
  [
    "a trigger that revives sessions",
    before("UPDATE", "NEW.ended_at := NULL"),
    { step: "end", symptom: "ignored", column: "ended_at" },
  ],
  [
    "a trigger on the records of runs",
    before("INSERT", "RAISE EXCEPTION 'of the owner'", "mcp_cleanup_runs"),
    { step: "record_run", sqlstate: "P0001" },
  ],
  [
    "a trigger that keeps deleted sessions",
    before("DELETE", "RETURN NULL"),
    { step: "delete", symptom: "kept" },
  ],
];

describe("with write=1 health is 503 because of", () => {
  test.each(later)("%s", async (_name, doIt, failed) => {
    const database = await createDatabase();
    await doIt(database);
    expect(await health(database)).toMatchObject(healthy);
    const { sqlstate } = failed;
    const reason = sqlstate === "42883" ? "schema_missing" : "write_rejected";
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
    expect(await health(role)).toMatchObject(refused("permission_denied"));
    await asWorkerRole(owner);
    expect(await health(role)).toMatchObject(healthy);
  });

  test("the right to execute the cleanup", async () => {
    const owner = await createDatabase();
    await owner.query("REVOKE EXECUTE ON PROCEDURE mcp_cleanup_sessions FROM PUBLIC");
    const role = await asWorkerRole(owner, [
      "ON PROCEDURE mcp_cleanup_sessions, mcp_delete_in_batches",
      "ON PROCEDURE mcp_delete_in_batches",
    ]);
    expect(await health(role)).toMatchObject(refused("permission_denied"));
  });

  test("the cleanup itself", async () => {
    const database = await createDatabase();
    await database.query("DROP PROCEDURE mcp_cleanup_sessions");
    expect(await health(database)).toMatchObject(refused("schema_missing"));
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
    expect(await health(role, "/session-health?write=1")).toMatchObject(healthy);
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
