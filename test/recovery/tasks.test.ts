// Every fault of Neon's against every verb of tasks: it is done whole or not at all, and once, however often it was sent.
import { afterEach, beforeEach, expect, inject, test, vi } from "vitest";
import { connect } from "../../src/db/client.ts";
import { DatabaseFault } from "../../src/db/fault.ts";
import { createDueStore } from "../../src/tasks/due-store.ts";
import { createTaskStore } from "../../src/tasks/store.ts";
import { addTasks, endedTotals, passForLeases } from "../tasks/rows.ts";
import { createDatabase, faultHits, setFaults, type TestDatabase } from "../support/worker.ts";
import { type Case, casesOf, each, rows, strike, whileItLasts } from "./cases.ts";

afterEach(() => setFaults());

// The shortest delays between attempts.
beforeEach(() => {
  vi.spyOn(Math, "random").mockReturnValue(0);
});

// Time for every attempt, also on a busy machine; one that hangs has all of it.
const BUDGET_MS = 30_000;
const HANGING_BUDGET_MS = 3000;

function storesOf({ url }: TestDatabase, timeoutMs = BUDGET_MS) {
  const connection = connect({ url, endpointOverride: inject("neonEndpoint") });
  return {
    ...createTaskStore(connection, { timeoutMs, maxPerPrincipal: 10 }),
    ...createDueStore(connection, { timeoutMs }),
  };
}
type Stores = ReturnType<typeof storesOf>;

const task = { owner: "alice", tool: "work", call: '{"a":1}', onLost: "retry", maxAttempts: 3 } as const;
const made = { ...task, pollMs: 1000, ttlSeconds: 3600 };

/** The lives of two tasks: each verb, and what its statement has in it. */
const verbs: [what: string, matching: string, does: (tasks: Stores) => Promise<unknown>][] = [
  ["create", "mcp_create_task", (tasks) => tasks.create({ key: "one", ...made })],
  ["take", "mcp_take_task", (tasks) => tasks.take("one", "first")],
  ["renew", "UPDATE mcp_tasks SET leased_until", (tasks) => tasks.renew("one", "first")],
  ["ask", "mcp_ask_task", (tasks) => tasks.ask("one", "first", { "1.a": { method: "x" } }, "state")],
  ["answer", "mcp_answer_task", (tasks) => tasks.answer("one", "alice", { "1.a": { ok: true } })],
  ["take again", "mcp_take_task", (tasks) => tasks.take("one", "second")],
  [
    "finish",
    "mcp_finish_task",
    (tasks) => tasks.finish("one", "second", { status: "completed", result: '{"b":2}' }),
  ],
  ["create another", "mcp_create_task", (tasks) => tasks.create({ key: "two", ...made })],
  ["cancel", "mcp_cancel_task", (tasks) => tasks.cancel("two", "alice")],
];

/** All that is kept, but for times. */
async function kept(database: TestDatabase) {
  const tasks = await database.query(
    `SELECT task_hash, status, call, result, input_requests, array_to_json(input_keys) AS keys,
            array_to_json(input_responses) AS answers, request_state, lease, leased_until IS NULL AS is_nobodys, attempt, version
       FROM mcp_tasks ORDER BY task_hash`,
  );
  return { tasks, totals: await endedTotals(database) };
}

const anyTime = (outcome: unknown) => (outcome instanceof Date ? "a time" : outcome);
const patienceOf = ({ fault }: Case) => (fault.kind === "hang" ? HANGING_BUDGET_MS : BUDGET_MS);

test("a verb of which one answer is lost says and does what it does without a fault", async () => {
  const control = await createDatabase();
  const cases = await casesOf(
    rows.filter(({ isRetried = true }) => isRetried),
    false,
  );
  for (const [what, matching, does] of verbs) {
    const outcome = anyTime(await does(storesOf(control)));
    const state = await kept(control);
    await strike(cases, { matching, times: 1 });
    const work = async ({ database }: Case) => [what, anyTime(await does(storesOf(database)))];
    expect(await each<unknown>(cases, work)).toEqual(await each(cases, () => [what, outcome]));
    expect(await faultHits()).toEqual(cases.map(() => 1));
    expect(await each(cases, ({ database }) => kept(database))).toEqual(await each(cases, () => state));
  }
});

test("while a fault lasts a verb is done whole or not at all, and can be repeated afterwards", async () => {
  const control = await createDatabase();
  const cases = await casesOf(rows, false);
  for (const [what, matching, does] of verbs) {
    const undone = await kept(control);
    await does(storesOf(control));
    const done = await kept(control);
    const failures = await whileItLasts(
      cases,
      async (one) => {
        const failure = await does(storesOf(one.database, patienceOf(one))).catch((error: unknown) => error);
        return [what, failure instanceof DatabaseFault ? failure.kind : failure];
      },
      { matching },
    );
    expect(failures).toEqual(await each(cases, ({ reason }) => [what, reason]));
    expect(await each(cases, ({ database }) => kept(database))).toEqual(
      await each(cases, ({ commits = false }) => (commits ? done : undone)),
    );
    await each<unknown>(cases, ({ database }) => does(storesOf(database)));
    expect(await each(cases, ({ database }) => kept(database))).toEqual(await each(cases, () => done));
  }
});

test("a look for due tasks of which the answer is lost loses none: they are due again", async () => {
  const cases = await casesOf(rows, false);
  for (const { database } of cases) await addTasks(database, { task: { lease: "dead", attempt: 1 } });
  await whileItLasts(
    cases,
    async (one) => {
      await expect(storesOf(one.database, patienceOf(one)).due({ limit: 10 })).rejects.toThrow(DatabaseFault);
    },
    { matching: "mcp_find_due_tasks" },
  );
  const look = async ({ database }: Case) => (await storesOf(database).due({ limit: 10 })).keys;
  expect(await each(cases, look)).toEqual(
    await each(cases, ({ commits = false }) => (commits ? [] : ["task"])),
  );
  await each(cases, ({ database }) => passForLeases(database, 31));
  expect(await each(cases, look)).toEqual(await each(cases, () => ["task"]));
});
