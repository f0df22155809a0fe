// What health and scrapes say of handles and tasks.
import { PgDialect } from "drizzle-orm/pg-core";
import { describe, expect, test } from "vitest";
import { keptColumn, keptCounts, keptMembers } from "../../src/health/kept.ts";
import { addHandles, addTasks, KEPT } from "../support/kept.ts";
import { bearer, createDatabase, databaseRequests, keys, send } from "../support/worker.ts";

const health = async (env: Env) =>
  (await send(env, "/session-health", bearer(keys.health))).json<Record<string, unknown>>();
const metrics = async (env: Env) => (await send(env, "/metrics", bearer(keys.metrics))).text();

async function filled() {
  const database = await createDatabase();
  await addHandles(database, "alice", { count: 3 });
  await addHandles(database, "bob", { expiresAt: "'2026-01-02T03:04:05Z'" });
  await addTasks(database, "alice", { count: 2 });
  await addTasks(database, "bob", { leasedUntil: "'2026-02-03T04:05:06Z'" });
  await addTasks(database, "bob", { status: "input_required" });
  await addTasks(database, "bob", { status: "completed", count: 4 });
  await addTasks(database, "carol", { expiresAt: "'2026-03-04T05:06:07Z'", leasedUntil: "'2026-01-01'" });
  return database;
}

test("health counts them, with their ages, in the statement of the sessions", async () => {
  const env = (await filled()).env(KEPT);
  const before = await databaseRequests();
  expect(await health(env)).toMatchObject({
    handles: { active: 3, expired: 1, oldest_expired_at: "2026-01-02T03:04:05Z" },
    tasks: {
      working: 3,
      input_required: 1,
      ended: 4,
      expired: 1,
      // Not the one that has expired: it will not be run any more.
      due: 1,
      oldest_due_at: "2026-02-03T04:05:06Z",
      oldest_expired_at: "2026-03-04T05:06:07Z",
    },
  });
  expect((await databaseRequests()) - before).toBe(1);
});

test("a scrape has them as families", async () => {
  const database = await filled();
  await database.query(
    `INSERT INTO mcp_session_totals (name, shard, value) VALUES ('handles_made', 0, 9), ('handles_ended/client', 0, 2),
       ('handles_ended/operator', 1, 3), ('handles_expired', 0, 4), ('tasks_created', 0, 8), ('tasks_ended/completed', 0, 5),
       ('tasks_ended/cancelled', 0, 6), ('tasks_ended/failed', 2, 7), ('tasks_expired', 0, 1)`,
  );
  const text = await metrics(database.env(KEPT));
  const samples = text.split("\n").filter((line) => /^mcp_(handles|tasks)/.test(line));
  expect(samples).toEqual([
    'mcp_handles{state="active"} 3',
    'mcp_handles{state="expired"} 1',
    "mcp_handles_made_total 9",
    'mcp_handles_ended_total{reason="client"} 2',
    'mcp_handles_ended_total{reason="operator"} 3',
    'mcp_handles_ended_total{reason="evicted"} 0',
    "mcp_handles_expired_total 4",
    `mcp_handles_backlog_oldest_timestamp_seconds ${Date.parse("2026-01-02T03:04:05Z") / 1000}`,
    'mcp_tasks{state="working"} 3',
    'mcp_tasks{state="input_required"} 1',
    'mcp_tasks{state="ended"} 4',
    'mcp_tasks{state="expired"} 1',
    "mcp_tasks_due 1",
    `mcp_tasks_due_oldest_timestamp_seconds ${Date.parse("2026-02-03T04:05:06Z") / 1000}`,
    "mcp_tasks_created_total 8",
    'mcp_tasks_ended_total{state="completed"} 5',
    'mcp_tasks_ended_total{state="cancelled"} 6',
    'mcp_tasks_ended_total{state="failed"} 7',
    "mcp_tasks_expired_total 1",
    `mcp_tasks_backlog_oldest_timestamp_seconds ${Date.parse("2026-03-04T05:06:07Z") / 1000}`,
  ]);
});

test("a task that has waited for two intervals of the regular cron degrades health, and less does not", async () => {
  const database = await createDatabase();
  const env = database.env(KEPT);
  await addTasks(database, "alice", { leasedUntil: "now() - interval '110 minutes'" });
  expect(await health(env)).toMatchObject({ status: "healthy" });
  expect(await metrics(env)).toContain('mcp_session_health_degraded{reason="tasks_overdue"} 0\n');
  await addTasks(database, "bob", { leasedUntil: "now() - interval '130 minutes'" });
  expect(await health(env)).toMatchObject({ status: "degraded", reasons: ["tasks_overdue"] });
  expect(await metrics(env)).toContain('mcp_session_health_degraded{reason="tasks_overdue"} 1\n');
});

describe("without the variables", () => {
  test("nothing is said of them, and nothing is asked", async () => {
    const database = await filled();
    const env = database.env();
    expect(Object.keys(await health(env))).toEqual([
      "status",
      "database",
      "total_sessions",
      "active_sessions",
      "expired_sessions",
      "timestamp",
    ]);
    expect(await metrics(env)).not.toMatch(/handle|task/);
    await database.query("DROP FUNCTION mcp_count_handles, mcp_count_tasks");
    expect(await health(env)).toMatchObject({ status: "healthy" });
    expect(await health(database.env({ MCP_HANDLES: "true" }))).toMatchObject({ reason: "schema_missing" });
  });

  test.each([
    ["MCP_HANDLES", "handles", "tasks"],
    ["MCP_TASKS", "tasks", "handles"],
  ])("with %s alone only %s are counted", async (variable, counted, other) => {
    const answer = await health((await filled()).env({ [variable]: "true" }));
    expect(answer).toHaveProperty(counted);
    expect(answer).not.toHaveProperty(other);
  });
});

test("more than 100,000 are an estimate, and what has expired is 100,001 or more", async () => {
  const database = await createDatabase();
  // Counting takes milliseconds. On a busy machine it may take many.
  const env = database.env({ ...KEPT, HEALTH_TIMEOUT_MS: "60000" });
  await addHandles(database, "alice", { count: 100_000 });
  await addTasks(database, "alice", { count: 100_000, status: "completed" });
  await database.query("ANALYZE mcp_handles, mcp_tasks");
  expect(await health(env)).toMatchObject({ handles: { active: 100_000 }, tasks: { ended: 100_000 } });
  await addHandles(database, "bob", { count: 50_000 });
  await addTasks(database, "bob", { count: 50_000, status: "failed" });
  await addHandles(database, "carol", { count: 100_002, expiresAt: "now() - interval '1 minute'" });
  // Without statistics of today the bound is what is known.
  expect(await health(env)).toMatchObject({
    handles: { active: 100_001, expired: 100_001 },
    tasks: { ended: 100_001 },
  });
  await database.query("ANALYZE mcp_handles, mcp_tasks");
  expect(await health(env)).toMatchObject({
    handles: { active: 250_002 - 100_001 },
    tasks: { ended: 150_000 },
  });
});

test("of each kind of task no more than 100,001 are counted", async () => {
  const database = await createDatabase();
  const count = 100_002;
  await addTasks(database, "alice", { count });
  await addTasks(database, "bob", { count, status: "input_required" });
  await addTasks(database, "carol", { count, status: "completed", expiresAt: "now() - interval '1 minute'" });
  expect(await health(database.env({ ...KEPT, HEALTH_TIMEOUT_MS: "60000" }))).toMatchObject({
    tasks: { working: 100_001, input_required: 100_001, ended: 0, expired: 100_001 },
  });
});

describe("the column by itself", () => {
  const textOf = (handles: boolean, tasks: boolean) =>
    new PgDialect().sqlToQuery(keptColumn({ handles, tasks }, 7200));
  const HANDLES = "jsonb_build_object('handles', mcp_count_handles())";

  test("asks for what is switched on, and for nothing else", () => {
    expect(textOf(false, false)).toMatchObject({ sql: "", params: [] });
    expect(textOf(true, false)).toMatchObject({ sql: `, ${HANDLES} AS kept`, params: [] });
    expect(textOf(false, true)).toMatchObject({ sql: ", mcp_count_tasks($1) AS kept", params: [7200] });
    expect(textOf(true, true)).toMatchObject({
      sql: `, ${HANDLES} || mcp_count_tasks($1) AS kept`,
      params: [7200],
    });
  });

  const counts = {
    handles: { active: 7, expired: 0, oldest_expired_at: "2026-01-02T03:04:05Z" },
    tasks: {
      working: 1,
      input_required: 2,
      ended: 3,
      expired: 4,
      due: 5,
      oldest_due_at: null,
      oldest_expired_at: null,
    },
  };

  test("is read as it is, and left out it is empty", () => {
    expect(keptCounts.parse({ ...counts, is_overdue: true })).toEqual({ ...counts, is_overdue: true });
    expect([keptCounts.parse(undefined), keptCounts.parse({})]).toEqual([{}, {}]);
  });

  test("a number below 0 is none, and neither is a time that is no text", () => {
    const { handles } = counts;
    for (const wrong of [{ active: -1 }, { expired: 0.5 }, { oldest_expired_at: 5 }, { active: undefined }])
      expect(keptCounts.safeParse({ handles: { ...handles, ...wrong } }).success).toBe(false);
  });

  test("the answer of health has both, or one, or none", () => {
    expect(Object.keys(keptMembers)).toEqual(["handles", "tasks"]);
    expect([keptMembers.handles.parse(undefined), keptMembers.tasks.parse(undefined)]).toEqual([
      undefined,
      undefined,
    ]);
    expect(keptMembers.handles.parse(counts.handles)).toEqual(counts.handles);
    expect(keptMembers.tasks.parse(counts.tasks)).toEqual(counts.tasks);
  });
});
