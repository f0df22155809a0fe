// A session that cannot be deleted stops no other. Whatever keeps it is found, recorded, and tried again.
import { describe, expect, test } from "vitest";
import { CleanupFailed, runCleanupOnce, runImmediateCleanup } from "../../src/cleanup/clean.ts";
import { logged } from "../support/captured-logs.ts";
import { addExpired, at, HOUR, runsOf, storeOf } from "../support/cleanup.ts";
import { heldOpen } from "../support/locks.ts";
import { addSessions, createDatabase, remaining, type TestDatabase } from "../support/worker.ts";

const run = (database: TestDatabase, settings = {}) =>
  storeOf(database, settings).clean("regular", new Date());

const countOf = async ({ query }: TestDatabase, where = "true") =>
  Number((await query(`SELECT count(*) FROM mcp_sessions WHERE ${where}`))[0]?.["count"]);

const raising = (when: string, condition: string) => [
  `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
   $$ BEGIN IF ${condition} THEN RAISE EXCEPTION 'no'; END IF; RETURN OLD; END $$`,
  `${when} FOR EACH ROW EXECUTE FUNCTION refuse()`,
];
const references = (options: string) => [
  `CREATE TABLE tool_calls (session_id text REFERENCES mcp_sessions ${options})`,
  "INSERT INTO tool_calls SELECT 'expired-' || i FROM generate_series(500, 500) i",
];

// Each keeps exactly the session expired-500 of a thousand.
const obstacles: Record<string, { statements: string[]; reason: string }> = {
  "a foreign key": { statements: references(""), reason: "23503" },
  "a foreign key that is checked at COMMIT": {
    statements: references("DEFERRABLE INITIALLY DEFERRED"),
    reason: "23503",
  },
  "a foreign key that restricts": { statements: references("ON DELETE RESTRICT"), reason: "23" },
  "a foreign key that sets NULL where NULL is refused": {
    statements: [
      ...references("ON DELETE SET NULL"),
      "ALTER TABLE tool_calls ALTER COLUMN session_id SET NOT NULL",
    ],
    reason: "23502",
  },
  "a trigger before": {
    statements: raising(
      "CREATE TRIGGER refuse BEFORE DELETE ON mcp_sessions",
      "OLD.session_id = 'expired-500'",
    ),
    reason: "P0001",
  },
  "a trigger after": {
    statements: raising(
      "CREATE TRIGGER refuse AFTER DELETE ON mcp_sessions",
      "OLD.session_id = 'expired-500'",
    ),
    reason: "P0001",
  },
  "a constraint trigger at COMMIT": {
    statements: raising(
      "CREATE CONSTRAINT TRIGGER refuse AFTER DELETE ON mcp_sessions DEFERRABLE INITIALLY DEFERRED",
      "OLD.session_id = 'expired-500'",
    ),
    reason: "P0001",
  },
  "a trigger that swallows the deletion": {
    statements: [
      `CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RETURN CASE WHEN OLD.session_id = 'expired-500' THEN NULL ELSE OLD END; END $$`,
      "CREATE TRIGGER swallow BEFORE DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION swallow()",
    ],
    reason: "kept",
  },
  "a trigger that asserts": {
    statements: [
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN ASSERT OLD.session_id <> 'expired-500'; RETURN OLD; END $$`,
      "CREATE TRIGGER refuse BEFORE DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION refuse()",
    ],
    reason: "P0004",
  },
  "a trigger that divides by zero": {
    statements: [
      `CREATE FUNCTION divide() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN PERFORM 1 / (500 - substr(OLD.session_id, 9)::int); RETURN OLD; END $$`,
      "CREATE TRIGGER divide BEFORE DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION divide()",
    ],
    reason: "22012",
  },
};

describe.each(Object.entries(obstacles))("%s", (_name, { statements, reason }) => {
  test("keeps its session and no other, and is recorded until it has gone", async () => {
    const database = await createDatabase();
    await addExpired(database, 1000);
    await addSessions(database, { live: at(new Date(), HOUR) });
    for (const statement of statements) await database.query(statement);

    const first = await run(database, { batchSize: 100 });
    expect(first).toMatchObject({ outcome: "completed", deleted: 999, blocked: 1, errorCode: null });
    expect(first.blockedBy).toContain(reason);
    expect(await remaining(database)).toEqual(["expired-500", "live"]);
    expect((await runsOf(database))[0]).toMatchObject({ outcome: "completed", deleted: "999", blocked: "1" });

    // It is still there, and found at once.
    expect(await run(database)).toMatchObject({ outcome: "completed", deleted: 0, blocked: 1 });

    await database.query("DROP TRIGGER IF EXISTS refuse ON mcp_sessions");
    await database.query("DROP TRIGGER IF EXISTS swallow ON mcp_sessions");
    await database.query("DROP TRIGGER IF EXISTS divide ON mcp_sessions");
    await database.query("DROP TABLE IF EXISTS tool_calls");
    expect(await run(database)).toMatchObject({
      outcome: "completed",
      deleted: 1,
      blocked: 0,
      blockedBy: null,
    });
    expect(await remaining(database)).toEqual(["live"]);
    expect(await database.query("SELECT * FROM mcp_cleanup_blocked")).toEqual([]);
  });
});

test("of many that fail for several reasons each is counted, the most frequent reason first", async () => {
  const database = await createDatabase();
  await addExpired(database, 3000);
  await database.query("CREATE TABLE tool_calls (session_id text REFERENCES mcp_sessions)");
  await database.query("INSERT INTO tool_calls SELECT 'expired-' || i * 3 FROM generate_series(1, 1000) i");
  await database.query("DELETE FROM tool_calls WHERE session_id = 'expired-6'");
  for (const statement of raising(
    "CREATE TRIGGER refuse BEFORE DELETE ON mcp_sessions",
    "OLD.session_id LIKE '%5'",
  ))
    await database.query(statement);
  const kept = await countOf(
    database,
    "substr(session_id, 9)::int % 3 = 0 AND session_id <> 'expired-6' OR session_id LIKE '%5'",
  );
  const report = await run(database);
  expect(report).toMatchObject({
    outcome: "completed",
    deleted: 3000 - kept,
    blocked: kept,
    blockedBy: "23503, P0001",
  });
  expect(await countOf(database)).toBe(kept);
});

// All at one instant is what rounded expiry times look like.
test.each([
  ["at one instant", "'2026-01-01Z'"],
  ["at as many instants", "now() - interval '1 day' - i * interval '1 second'"],
])(
  "a soft delete keeps 3,000 sessions that expired %s, and the run ends by itself",
  async (_name, expiry) => {
    const database = await createDatabase();
    await database.query("ALTER TABLE mcp_sessions ADD COLUMN deleted boolean DEFAULT false");
    await database.query(`CREATE FUNCTION soft() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN UPDATE mcp_sessions SET deleted = true WHERE session_id = OLD.session_id; RETURN NULL; END $$`);
    await database.query(
      "CREATE TRIGGER soft BEFORE DELETE ON mcp_sessions FOR EACH ROW EXECUTE FUNCTION soft()",
    );
    await database.query(
      `INSERT INTO mcp_sessions (session_id, expires_at) SELECT 'old' || i, ${expiry} FROM generate_series(1, 3000) i`,
    );
    // As much time as it likes: it ends because it is done.
    for (const _ of [1, 2]) {
      expect(await run(database, { timeBudgetMs: 300_000 })).toMatchObject({
        outcome: "completed",
        deleted: 0,
        blocked: 3000,
        blockedBy: "kept",
      });
    }
    expect(await countOf(database, "deleted")).toBe(3000);
  },
);

describe.each([
  ["ranges of expiry times", "i"],
  ["pages of the table", "(i * 4099::bigint + 13) % 6000"],
])("in bulk by %s", (_name, position) => {
  test("what cannot be deleted stays, everything else goes in one run", async () => {
    const database = await createDatabase();
    await database.query(
      `INSERT INTO mcp_sessions (session_id, client_info, expires_at)
       SELECT i::text, jsonb_build_object('padding', repeat('x', 1200)), now() + (${position} - 5000) * interval '5 seconds'
         FROM generate_series(0, 5999) i`,
    );
    await database.query("CREATE TABLE tool_calls (session_id text REFERENCES mcp_sessions)");
    await database.query("INSERT INTO tool_calls SELECT i::text FROM generate_series(13, 5999, 700) i");
    const live = await countOf(database, "expires_at > now()");
    const blocked = await countOf(
      database,
      "expires_at < now() - interval '10 minutes' AND session_id IN (SELECT session_id FROM tool_calls)",
    );
    expect(blocked).toBeGreaterThan(3);
    const report = await run(database, { batchSize: 100 });
    expect(report).toMatchObject({ outcome: "completed", blockedBy: "23503" });
    expect(report.blocked).toBeGreaterThanOrEqual(blocked);
    expect(await countOf(database)).toBe(6000 - report.deleted);
    expect(await countOf(database)).toBeLessThanOrEqual(live + report.blocked);
    expect(await countOf(database, "expires_at < now() - interval '10 minutes'")).toBe(blocked);
    // Not one at a time. A batch is as large as its time allows: on a busy machine, a page of six sessions.
    expect(report.batches).toBeLessThan(report.deleted / 2);
  });
});

test("more blocked sessions than a run has time for do not starve the others", async () => {
  const database = await createDatabase();
  await addExpired(database, 400);
  await database.query("CREATE TABLE tool_calls (session_id text REFERENCES mcp_sessions)");
  await database.query("INSERT INTO tool_calls SELECT session_id FROM mcp_sessions");
  await addSessions(database, { free: at(new Date(), -HOUR) });
  let runs = 0;
  // Each run goes on where the one before it stopped. A slow machine needs more time for the first session already.
  while ((await countOf(database, "session_id = 'session-free'")) > 0 && runs < 1000) {
    await run(database, { timeBudgetMs: 20 + 20 * runs });
    runs += 1;
  }
  expect(await countOf(database)).toBe(400);
  expect(runs).toBeGreaterThan(1);
});

test("a listed session that is live again is not deleted, and leaves the list", async () => {
  const database = await createDatabase();
  await addSessions(database, { revived: at(new Date(), -HOUR) });
  await database.query("CREATE TABLE tool_calls (session_id text REFERENCES mcp_sessions)");
  await database.query("INSERT INTO tool_calls SELECT session_id FROM mcp_sessions");
  expect(await run(database)).toMatchObject({ blocked: 1 });
  await database.query("DROP TABLE tool_calls");
  await database.query("UPDATE mcp_sessions SET expires_at = now() + interval '1 hour'");
  expect(await run(database)).toMatchObject({ deleted: 0, blocked: 0 });
  expect(await remaining(database)).toEqual(["revived"]);
});

test("a listed session that is too young for the immediate tier stays until it is old enough", async () => {
  const database = await createDatabase();
  await addSessions(database, { young: at(new Date(), -HOUR / 2) });
  await database.query("CREATE TABLE tool_calls (session_id text REFERENCES mcp_sessions)");
  await database.query("INSERT INTO tool_calls SELECT session_id FROM mcp_sessions");
  await runCleanupOnce(storeOf(database));
  await database.query("DROP TABLE tool_calls");
  expect(await runImmediateCleanup(storeOf(database))).toBe(0);
  expect(await remaining(database)).toEqual(["young"]);
  expect(await database.query("SELECT reason FROM mcp_cleanup_blocked")).toEqual([{ reason: "23503" }]);
  expect(await runCleanupOnce(storeOf(database))).toBe(1);
});

test("listed sessions are tried again for a tenth of the time of a run, and those that are left by a later one", async () => {
  const database = await createDatabase();
  await addExpired(database, 3);
  await database.query(
    "INSERT INTO mcp_cleanup_blocked (session_id, reason, tried_at) SELECT session_id, 'P0001', now() - interval '1 hour' FROM mcp_sessions",
  );
  // One of them takes longer than that tenth.
  for (const statement of raising(
    "CREATE TRIGGER refuse BEFORE DELETE ON mcp_sessions",
    "pg_sleep(0.25) IS NOT NULL",
  ))
    await database.query(statement);
  await run(database, { batchSize: 1, timeBudgetMs: 2000 });
  const left = await database.query(
    "SELECT count(*)::int FROM mcp_cleanup_blocked WHERE tried_at < now() - interval '30 minutes'",
  );
  expect(left[0]?.["count"]).toBeGreaterThanOrEqual(2);
});

test("a session whose child row is locked is tried again by the next run", async () => {
  const database = await createDatabase();
  await addExpired(database, 20);
  await database.query(
    "CREATE TABLE tool_calls (session_id text REFERENCES mcp_sessions ON DELETE CASCADE, n int)",
  );
  await database.query("INSERT INTO tool_calls VALUES ('expired-7', 0)");
  const lock = await heldOpen(database, "UPDATE tool_calls SET n = 1 RETURNING 1");
  expect(await run(database)).toMatchObject({
    outcome: "completed",
    deleted: 19,
    blocked: 1,
    blockedBy: "55P03",
  });
  await lock.release();
  expect(await run(database)).toMatchObject({ deleted: 1, blocked: 0 });
});

test.each([
  ["the right is missing", ["REVOKE DELETE ON mcp_sessions FROM mcp"], "42501"],
  [
    "a trigger refuses each statement",
    [
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
      "CREATE TRIGGER refuse BEFORE DELETE ON mcp_sessions EXECUTE FUNCTION refuse()",
    ],
    "P0001",
  ],
])(
  "when no session can be deleted, because %s, the run fails and lists none",
  async (_name, statements, code) => {
    const database = await createDatabase();
    await addExpired(database, 50);
    for (const statement of statements) await database.query(statement);
    await expect(runCleanupOnce(storeOf(database))).rejects.toThrow(CleanupFailed);
    expect((await runsOf(database))[0]).toMatchObject({
      outcome: "failed",
      error_code: code,
      deleted: "0",
      blocked: "0",
    });
    expect(await database.query("SELECT * FROM mcp_cleanup_blocked")).toEqual([]);
  },
);

test("a failure before a run has begun is recorded and counted as a failed run", async () => {
  const database = await createDatabase();
  await addExpired(database, 5);
  await database.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW.outcome = 'running' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$`);
  await database.query(
    "CREATE TRIGGER refuse BEFORE INSERT ON mcp_cleanup_runs FOR EACH ROW EXECUTE FUNCTION refuse()",
  );
  await expect(runCleanupOnce(storeOf(database))).rejects.toThrow(CleanupFailed);
  expect(await runsOf(database)).toEqual([
    expect.objectContaining({ outcome: "failed", error_code: "P0001" }),
  ]);
  expect(
    await database.query(
      "SELECT sum(value)::int AS runs FROM mcp_session_totals WHERE name = 'cleanup_runs/regular/failed'",
    ),
  ).toEqual([{ runs: 1 }]);
});

test("a run whose tidying fails deletes all the same, and fails", async () => {
  const database = await createDatabase();
  await addExpired(database, 5);
  await database.query(
    "CREATE OR REPLACE FUNCTION mcp_merge_session_changes(p_limit bigint DEFAULT 1) RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'",
  );
  await expect(runCleanupOnce(storeOf(database))).rejects.toThrow(CleanupFailed);
  expect(await runsOf(database)).toEqual([
    expect.objectContaining({ outcome: "failed", error_code: "P0001", deleted: "5" }),
  ]);
});

test("what is blocked is logged as a warning, without the sessions", async () => {
  const database = await createDatabase();
  await addSessions(database, { a: at(new Date(), -HOUR), b: at(new Date(), -HOUR) });
  await database.query("CREATE TABLE tool_calls (session_id text REFERENCES mcp_sessions)");
  await database.query("INSERT INTO tool_calls VALUES ('session-a')");
  await run(database);
  await runCleanupOnce(storeOf(database));
  expect(logged("MCP session cleanup: 1 expired sessions cannot be deleted")).toEqual([
    expect.objectContaining({ level: "WARN", tier: "regular", blocked: 1, blocked_by: "23503" }),
  ]);
});
