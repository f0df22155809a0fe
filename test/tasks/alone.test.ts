// What is done to one task, as the database does it: to that task alone, and no more than once.
import { expect, test } from "vitest";
import { atOneInstant } from "../support/instant.ts";
import { heldOpen } from "../support/locks.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const LATER = "now() + interval '1 hour'";
const add = (columns: Record<string, string>) => {
  const all = {
    owner: "'me'",
    tool: "'work'",
    call: "'{}'",
    lease: "'claim'",
    max_attempts: "3",
    on_lost: "'retry'",
    poll_ms: "1000",
    expires_at: LATER,
    ...columns,
  };
  return `INSERT INTO mcp_tasks (${Object.keys(all).join()}) VALUES (${Object.values(all).join()})`;
};
const asking = {
  status: "'input_required'",
  input_keys: "ARRAY['x', 'y']",
  input_responses: "ARRAY[]::text[]",
};

/** The tasks `one` and `other`, which are the same but for their keys. */
async function twoTasks(columns: Record<string, string> = {}) {
  const database = await createDatabase();
  for (const key of ["one", "other"]) await database.query(add({ task_hash: `'${key}'`, ...columns }));
  return database;
}
const rowOf = async ({ query }: TestDatabase, key: string) =>
  (await query("SELECT * FROM mcp_tasks WHERE task_hash = $1", [key]))[0];
const valueOf = async ({ query }: TestDatabase, expression: string) =>
  (await query(`SELECT ${expression} AS value`))[0]?.["value"];

/** Calls a routine for `one`. @returns its answer, and by how much the version has grown; `other` must be as it was. */
async function call(database: TestDatabase, routine: string, ...more: string[]) {
  const [before, other] = [await rowOf(database, "one"), await rowOf(database, "other")];
  const value = await valueOf(database, `${routine}(${["'one'", ...more].join()})`);
  expect(await rowOf(database, "other")).toEqual(other);
  const after = await rowOf(database, "one");
  return [value, Number(after?.["version"]) - Number(before?.["version"])];
}
const answer = (database: TestDatabase, keys: string, answers: string, maxBytes = 1000) =>
  call(database, "mcp_answer_task", "'me'", `ARRAY[${keys}]`, `ARRAY[${answers}]`, String(maxBytes), "30");

test("answers are taken once, until the last one readies the task for its time to be begun", async () => {
  const database = await twoTasks(asking);
  expect(await answer(database, "'z'", "'1'")).toEqual(["taken", 0]);
  expect(await answer(database, "'x'", "'1'")).toEqual(["taken", 1]);
  expect(await answer(database, "'x'", "'2'")).toEqual(["taken", 0]);
  expect(await answer(database, "'y'", "'3'")).toEqual(["ready", 1]);
  expect(await answer(database, "'y'", "'4'")).toEqual(["ready", 0]);
  expect(
    await database.query(
      `SELECT status, input_responses, round(extract(epoch FROM leased_until - updated_at))::int AS start
         FROM mcp_tasks WHERE task_hash = 'one'`,
    ),
  ).toEqual([{ status: "working", input_responses: ["1", "3"], start: 30 }]);
});

test("answers may be as long as the bound, and no longer", async () => {
  const database = await twoTasks(asking);
  expect(await answer(database, "'x'", "'12345'", 4)).toEqual(["too_large", 0]);
  expect(await answer(database, "'x'", "'12345'", 5)).toEqual(["taken", 1]);
});

test.each([
  ["has been answered and waits to be begun", { lease: "NULL" }, "ready"],
  ["is run", {}, "taken"],
  ["was begun", { lease: "NULL", attempt: "1" }, "taken"],
  ["was asked nothing", { lease: "NULL", input_responses: "NULL" }, "taken"],
  ["has ended", { lease: "NULL", status: "'completed'" }, "taken"],
])("of a task that %s, an answer is told so", async (_, columns, said) => {
  const database = await twoTasks({ input_responses: "ARRAY['1']", ...columns });
  expect(await answer(database, "'x'", "'1'")).toEqual([said, 0]);
});

test("a question is asked by the one who runs the task, and heard of when it is asked again", async () => {
  const database = await twoTasks();
  const ask = (claim: string) => call(database, "mcp_ask_task", `'${claim}'`, "'{}'", "ARRAY['x']", "NULL");
  expect(await ask("another")).toEqual([false, 0]);
  expect(await ask("claim")).toEqual([true, 1]);
  expect(await ask("claim")).toEqual([true, 0]);
  expect(await ask("another")).toEqual([false, 0]);
  expect(await valueOf(database, "mcp_ask_task('unknown', 'claim', '{}', ARRAY['x'], NULL)")).toBe(false);
});

test("what is unknown is nobody's", async () => {
  const database = await twoTasks(asking);
  const before = await rowOf(database, "one");
  for (const [expression, value] of [
    ["mcp_answer_task('unknown', 'me', ARRAY['x'], ARRAY['1'], 1000, 30)", null],
    ["mcp_cancel_task('unknown', 'me')", null],
    ["mcp_finish_task('unknown', 'claim', 'completed', '{}')", false],
  ] as const)
    expect([expression, await valueOf(database, expression)]).toEqual([expression, value]);
  expect(await rowOf(database, "one")).toEqual(before);
});

test("a result is taken once, and heard of only by who has given it", async () => {
  const database = await twoTasks();
  const finish = (claim: string, status: string, result: string) =>
    call(database, "mcp_finish_task", `'${claim}'`, `'${status}'`, `'${result}'`);
  expect(await finish("another", "completed", "{}")).toEqual([false, 0]);
  expect(await finish("claim", "completed", "{}")).toEqual([true, 1]);
  expect(await finish("claim", "completed", "{}")).toEqual([true, 0]);
  expect(await finish("claim", "failed", "{}")).toEqual([false, 0]);
  expect(await finish("claim", "completed", "[]")).toEqual([false, 0]);
  expect(await call(database, "mcp_cancel_task", "'me'")).toEqual(["ended", 0]);
});

test("a task that nobody runs yet is taken before its time, and one that is run is not", async () => {
  const database = await twoTasks({ lease: "NULL", leased_until: LATER });
  const take = async (claim: string) =>
    (await database.query(`SELECT outcome, attempt FROM mcp_take_task('one', '${claim}', 60, '{}')`))[0];
  expect(await take("mine")).toEqual({ outcome: "taken", attempt: 1 });
  expect(await take("mine")).toEqual({ outcome: "taken", attempt: 1 });
  expect(await take("yours")).toEqual({ outcome: "busy", attempt: null });
});

test.each([
  ["mcp_answer_task", "'me', ARRAY['x'], ARRAY['1'], 1000, 30"],
  ["mcp_cancel_task", "'me'"],
  ["mcp_finish_task", "'claim', 'completed', '{}'"],
  ["mcp_take_task", "'another', 60, '{}'"],
])("%s waits for who changes the task, and then sees what has become of it", async (routine, more) => {
  const database = await twoTasks({ status: "'completed'", result: "'[]'" });
  const held = await heldOpen(database, "SELECT FROM mcp_tasks WHERE task_hash = 'one' FOR UPDATE");
  const hurried = `set_config('lock_timeout', '200', true), ${routine}('one', ${more})`;
  await expect(database.query(`SELECT ${hurried}`)).rejects.toThrow("lock timeout");
  await held.release();
});

const create = (max: number) =>
  `SELECT mcp_create_task('new', 'me', 'work', '{}', 'retry', 3, 1000, 60, 30, ${max}) IS NOT NULL`;
const keys = async ({ query }: TestDatabase) =>
  (await query("SELECT task_hash FROM mcp_tasks ORDER BY 1")).map((row) => row["task_hash"]);
const expiredTotal =
  "(SELECT coalesce(sum(value), 0)::int FROM mcp_session_totals WHERE name = 'tasks_expired')";

test("a task that expires now makes room, before one that has ended, and counts as expired", async () => {
  const database = await createDatabase();
  const rows = [
    add({ task_hash: "'ended'", status: "'completed'", updated_at: "now() - interval '1 hour'" }),
    add({ task_hash: "'expired'", expires_at: "now()" }),
  ];
  expect(await atOneInstant(database, rows, create(2))).toBe(true);
  expect(await keys(database)).toEqual(["ended", "new"]);
  expect(await valueOf(database, expiredTotal)).toBe(1);
});

test("one that has ended makes room and counts as none that has expired; one that is alive makes none", async () => {
  const database = await createDatabase();
  const rows = [
    add({ task_hash: "'ended'", status: "'completed'" }),
    add({ task_hash: "'asks'", ...asking }),
    add({ task_hash: "'works'" }),
  ];
  expect(await atOneInstant(database, rows, create(3))).toBe(true);
  expect(await keys(database)).toEqual(["asks", "new", "works"]);
  expect(await valueOf(database, expiredTotal)).toBe(0);
  await database.query("DELETE FROM mcp_tasks WHERE task_hash = 'new'");
  expect(await atOneInstant(database, [], create(2))).toBe(false);
  expect(await keys(database)).toEqual(["asks", "works"]);
});

test("one that is locked makes no room, and is waited for by nobody", async () => {
  const database = await twoTasks({ status: "'completed'" });
  await database.query("UPDATE mcp_tasks SET updated_at = now() - interval '1 hour' WHERE task_hash = 'one'");
  const held = await heldOpen(database, "SELECT FROM mcp_tasks WHERE task_hash = 'one' FOR UPDATE");
  await database.query(`SELECT set_config('lock_timeout', '200', true), (${create(2)})`);
  await held.release();
  expect(await keys(database)).toEqual(["new", "one"]);
});

test("two tasks of one principal are not made at once", async () => {
  const database = await createDatabase();
  const held = await heldOpen(
    database,
    "SELECT pg_advisory_xact_lock(hashtext('mcp_create_task'), hashtext('me'))",
  );
  const hurried = database.query(`SELECT set_config('lock_timeout', '200', true), (${create(2)})`);
  await expect(hurried).rejects.toThrow("lock timeout");
  await held.release();
});
