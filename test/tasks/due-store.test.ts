// Who is found due, and what becomes of it.
import { afterEach, expect, inject, test } from "vitest";
import { connect } from "../../src/db/client.ts";
import { createDueStore } from "../../src/tasks/due-store.ts";
import { START_SECONDS } from "../../src/tasks/store.ts";
import { LOST_ERROR } from "../../src/tasks/task.ts";
import { heldOpen } from "../support/locks.ts";
import { createDatabase, setFaults, type TestDatabase } from "../support/worker.ts";
import { addTasks, endedTotals, passForLeases, taskRows } from "./rows.ts";

afterEach(() => setFaults());

const dueIn = ({ url }: TestDatabase) =>
  createDueStore(connect({ url, endpointOverride: inject("neonEndpoint") }), { timeoutMs: 60_000 });

test("a task is due when its runner's lease has run out, or when nobody has begun it in time", async () => {
  const database = await createDatabase();
  await addTasks(database, {
    dead: { lease: "a", dueIn: -1, attempt: 1 },
    alive: { lease: "b", dueIn: 30, attempt: 1 },
    forgotten: { dueIn: -1 },
    fresh: { dueIn: 30 },
    asking: { status: "input_required", dueIn: null },
    done: { status: "completed", dueIn: -1 },
    expired: { dueIn: -1, expiresIn: -1 },
  });
  const { keys, lost, nextDue } = await dueIn(database).due({ limit: 10 });
  expect(keys.toSorted()).toEqual(["dead", "forgotten"]);
  expect(lost).toBe(0);
  expect(nextDue?.getTime()).toBeGreaterThan(Date.now() - 60_000);
  const rows = await taskRows(database);
  expect(rows["dead"]).toMatchObject({ status: "working", lease: null, attempt: 1, isDue: false });
  expect(rows["alive"]).toMatchObject({ lease: "b" });
  expect(rows["expired"]).toMatchObject({ status: "working", isDue: true });
});

test("nobody else is told of the same task for a while, and then somebody is", async () => {
  const database = await createDatabase();
  await addTasks(database, { dead: { lease: "a", attempt: 1 } });
  const { due } = dueIn(database);
  const found = await Promise.all([due({ limit: 10 }), due({ limit: 10 }), due({ limit: 10, key: "dead" })]);
  expect(found.flatMap(({ keys }) => keys)).toEqual(["dead"]);
  await passForLeases(database, START_SECONDS - 5);
  expect((await due({ limit: 10 })).keys).toEqual([]);
  await passForLeases(database, 6);
  expect((await due({ limit: 10 })).keys).toEqual(["dead"]);
});

test("one whose runner is lost fails when its tool says so, or when it was its last attempt; the error is counted once", async () => {
  const database = await createDatabase();
  await addTasks(database, {
    "never again": { lease: "a", attempt: 1, onLost: "fail" },
    "not so often": { lease: "b", attempt: 3, maxAttempts: 3 },
    // Nobody has lost it: nobody has begun it.
    "not begun": { onLost: "fail", maxAttempts: 1 },
    again: { lease: "c", attempt: 2, maxAttempts: 3 },
  });
  const { due } = dueIn(database);
  expect(await due({ limit: 10 })).toMatchObject({
    keys: expect.arrayContaining(["not begun", "again"]),
    lost: 2,
  });
  const rows = await taskRows(database);
  for (const key of ["never again", "not so often"])
    expect(rows[key]).toMatchObject({ status: "failed", result: LOST_ERROR, isDue: null });
  const [kept] = await database.query(
    "SELECT count(*) FROM mcp_tasks WHERE status = 'failed' AND num_nonnulls(call, input_requests, input_responses, request_state) > 0",
  );
  expect(Number(kept?.["count"])).toBe(0);
  await passForLeases(database, 3600);
  expect((await due({ limit: 10 })).lost).toBe(0);
  expect(await endedTotals(database)).toEqual({ "tasks_ended/failed": 2 });
});

test("a task that is just being changed is not waited for", async () => {
  const database = await createDatabase();
  await addTasks(database, { changing: { dueIn: -20 }, due: {} });
  const { release } = await heldOpen(
    database,
    "UPDATE mcp_tasks SET poll_ms = 1 WHERE task_hash = 'changing' RETURNING 1",
  );
  const { due } = dueIn(database);
  expect((await due({ limit: 10 })).keys).toEqual(["due"]);
  await release();
  expect((await due({ limit: 10 })).keys).toEqual(["changing"]);
});

test("the longest due come first, no more than asked for; of one task that one alone", async () => {
  const database = await createDatabase();
  await addTasks(database, { second: { dueIn: -20 }, first: { dueIn: -30 }, third: { dueIn: -10 } });
  const { due } = dueIn(database);
  expect((await due({ limit: 1 })).keys).toEqual(["first"]);
  expect((await due({ limit: 10, key: "third" })).keys).toEqual(["third"]);
  expect((await due({ limit: 10, key: "third" })).keys).toEqual([]);
  expect((await due({ limit: 10 })).keys).toEqual(["second"]);
});

test("without a task at work nothing is ever due", async () => {
  const database = await createDatabase();
  await addTasks(database, {
    // As no verb leaves it.
    done: { status: "failed", dueIn: 5 },
    asking: { status: "input_required", dueIn: null },
    expired: { dueIn: 5, expiresIn: -1 },
  });
  expect(await dueIn(database).due({ limit: 10 })).toEqual({ keys: [], lost: 0, nextDue: null });
});

test("when the next one is due is said to the millisecond", async () => {
  const database = await createDatabase();
  await addTasks(database, {
    later: { dueIn: 60 },
    next: { dueIn: 30 },
    done: { status: "completed", dueIn: 1 },
  });
  const [row] = await database.query(
    "SELECT floor(extract(epoch FROM leased_until) * 1000)::text AS ms FROM mcp_tasks WHERE task_hash = 'next'",
  );
  const { nextDue } = await dueIn(database).due({ limit: 10 });
  expect(nextDue).toEqual(new Date(Number(row?.["ms"])));
});

test("a statement whose answer is lost is sent again, and what it has found is due again soon", async () => {
  const database = await createDatabase();
  await addTasks(database, { dead: { lease: "a", attempt: 1 } });
  await setFaults({ fault: { kind: "lost-after-commit" }, times: 1, matching: "mcp_find_due_tasks" });
  const { due } = dueIn(database);
  expect(await due({ limit: 10 })).toMatchObject({ keys: [], lost: 0 });
  await passForLeases(database, START_SECONDS + 1);
  expect((await due({ limit: 10 })).keys).toEqual(["dead"]);
});
