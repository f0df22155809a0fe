// The rules of each verb, by itself.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { ANSWERS_BYTES, LEASE_SECONDS, RESULT_BYTES, START_SECONDS } from "../../src/tasks/store.ts";
import { LOST_ERROR } from "../../src/tasks/task.ts";
import { setFaults, type TestDatabase } from "../support/worker.ts";
import { addTasks, endedTotals } from "./rows.ts";
import { tasksIn } from "./stored.ts";

const MAX = 3;
const question = { method: "elicitation/create", params: {} };

afterEach(() => setFaults());

const stored = () => tasksIn({ maxPerPrincipal: MAX });

const columnsOf = async ({ query }: TestDatabase, key: string) =>
  (await query("SELECT * FROM mcp_tasks WHERE task_hash = $1", [key]))[0] ?? {};
const pass = ({ query }: TestDatabase, seconds: number) =>
  query(
    "UPDATE mcp_tasks SET leased_until = leased_until - $1 * interval '1 second', expires_at = expires_at - $1 * interval '1 second'",
    [seconds],
  );

test("making: the same key is the same task; who asks first is to be taken within so many seconds", async () => {
  const { database, store, create } = await stored();
  const made = await create("t");
  expect(made).toBeInstanceOf(Date);
  expect(await create("t", { tool: "other" })).toEqual(made);
  const [row] = await database.query(
    `SELECT tool, status, attempt, version, lease, created_at = updated_at AS is_new,
            extract(epoch FROM leased_until - created_at)::integer AS start, extract(epoch FROM expires_at - created_at)::integer AS ttl
       FROM mcp_tasks`,
  );
  expect(row).toEqual({
    tool: "work",
    status: "working",
    attempt: 0,
    version: 1,
    lease: null,
    is_new: true,
    start: START_SECONDS,
    ttl: 600,
  });
  expect(await endedTotals(database)).toEqual({ tasks_created: 1 });
  expect(await store.get("t", "bob")).toBeUndefined();
  expect(await store.get("t", "alice")).toMatchObject({ status: "working", isDue: false, createdAt: made });
  await pass(database, START_SECONDS + 1);
  expect(await store.get("t", "alice")).toMatchObject({ isDue: true });
});

test("making: at most so many of one owner, also at once; what has expired or ended gives way, and is counted", async () => {
  const { database, store, create } = await stored();
  const made = await Promise.all(["a", "b", "c", "d", "e"].map((key) => create(key)));
  expect(made.filter((one) => one !== undefined)).toHaveLength(MAX);
  expect(await create("other", { owner: "bob" })).toBeInstanceOf(Date);
  await store.cancel("other", "bob");
  await database.query("UPDATE mcp_tasks SET updated_at = now() - interval '1 day' WHERE owner = 'bob'");
  await store.cancel("b", "alice");
  await store.cancel("a", "alice");
  await database.query("UPDATE mcp_tasks SET updated_at = now() - interval '1 hour' WHERE task_hash = 'a'");
  const alive = ["a", "b", "c", "d", "e"].filter((_, i) => made[i] !== undefined);
  // Whichever of them there are.
  const ended = alive.filter((key) => key === "a" || key === "b");
  for (const key of ended) {
    expect(await create(`after ${key}`)).toBeInstanceOf(Date);
    expect(await columnsOf(database, key)).toEqual({});
  }
  expect(await create("one more")).toBeUndefined();
  expect(await columnsOf(database, "other")).toMatchObject({ status: "cancelled" });
  await database.query("UPDATE mcp_tasks SET expires_at = now() WHERE owner = 'alice'");
  expect(await create("one more")).toBeInstanceOf(Date);
  const [{ count } = {}] = await database.query(
    "SELECT count(*)::integer AS count FROM mcp_tasks WHERE owner = 'alice'",
  );
  expect(count).toBe(MAX);
  expect((await endedTotals(database))["tasks_expired"]).toBe(1);
});

test("taking: one at a time; again when the lease has run out, and as often as it may be", async () => {
  const { database, store, create } = await stored();
  await create("t");
  const [first, second] = await Promise.all([store.take("t", "one"), store.take("t", "two")]);
  const winner = first.outcome === "taken" ? "one" : "two";
  expect([first.outcome, second.outcome].toSorted()).toEqual(["busy", "taken"]);
  expect([first, second].find(({ outcome }) => outcome === "taken")).toEqual({
    outcome: "taken",
    owner: "alice",
    call: { of: "work" },
    answers: [],
    requestState: null,
    attempt: 1,
    version: 2,
  });
  // Repeated.
  expect(await store.take("t", winner)).toMatchObject({ outcome: "taken", attempt: 1, version: 2 });
  await pass(database, LEASE_SECONDS - 5);
  expect(await store.renew("t", winner)).toBe(true);
  expect(await store.renew("t", "another")).toBe(false);
  await pass(database, LEASE_SECONDS - 5);
  expect(await store.take("t", "three")).toEqual({ outcome: "busy" });
  await pass(database, 6);
  expect(await store.take("t", "three")).toMatchObject({ outcome: "taken", attempt: 2 });
  expect(await store.renew("t", winner)).toBe(false);
  await pass(database, LEASE_SECONDS + 1);
  expect(await store.take("t", "four")).toEqual({ outcome: "over" });
  expect(await store.get("t", "alice")).toMatchObject({ status: "failed", result: LOST_ERROR });
  expect(await endedTotals(database)).toMatchObject({ "tasks_ended/failed": 1 });
});

test("taking: what must not be begun again fails; what has ended, waits or has expired is over", async () => {
  const { database, store, create } = await stored();
  await create("t", { onLost: "fail", maxAttempts: 2 });
  await store.take("t", "one");
  await pass(database, LEASE_SECONDS + 1);
  expect(await store.take("t", "two")).toEqual({ outcome: "over" });
  expect(await store.get("t", "alice")).toMatchObject({ status: "failed" });
  // Its runner was lost, and comes too late.
  expect(await store.finish("t", "one", { status: "failed", result: "{}" })).toBe(false);
  expect(await store.take("none", "two")).toEqual({ outcome: "over" });
  await create("asks");
  await store.take("asks", "one");
  await store.ask("asks", "one", { "2.a": question }, undefined);
  expect(await store.take("asks", "two")).toEqual({ outcome: "over" });
  await create("late");
  await pass(database, 601);
  expect(await store.answer("asks", "alice", { "2.a": 1 })).toBeUndefined();
  expect(await store.take("late", "two")).toEqual({ outcome: "over" });
  expect(await store.renew("late", "two")).toBe(false);
});

test("ending: by who has the lease, once; repeated it says the same; nothing is kept of the call", async () => {
  const { database, store, create } = await stored();
  await create("t");
  await store.take("t", "one");
  const done = { status: "completed", result: '{"content":[]}' } as const;
  expect(await store.finish("t", "two", done)).toBe(false);
  expect(await store.finish("t", "one", done)).toBe(true);
  expect(await store.finish("t", "one", done)).toBe(true);
  expect(await store.finish("t", "one", { status: "failed", result: "{}" })).toBe(false);
  expect(await store.ask("t", "one", { "2.a": question }, undefined)).toBe(false);
  expect(await store.cancel("t", "alice")).toBe("ended");
  expect(await store.get("t", "alice")).toMatchObject({ status: "completed", result: { content: [] } });
  expect(await columnsOf(database, "t")).toMatchObject({ call: null, leased_until: null, lease: "one" });
  expect(await endedTotals(database)).toEqual({ tasks_created: 1, "tasks_ended/completed": 1 });
});

test("ending: a lease that has run out, and that nobody has taken, is still good", async () => {
  const { database, store, create } = await stored();
  await create("t");
  await store.take("t", "one");
  await pass(database, LEASE_SECONDS + 1);
  expect(await store.finish("t", "one", { status: "completed", result: "{}" })).toBe(true);
});

test("asking and answering: attempts begin again; the last answer has it started, also when it is repeated", async () => {
  const { database, store, create } = await stored();
  await create("t");
  const taken = await store.take("t", "one");
  expect(taken).toMatchObject({ version: 2 });
  const questions = { "2.a": question, "2.b": question };
  expect(await store.ask("t", "two", questions, undefined)).toBe(false);
  expect(await store.ask("t", "one", questions, "state")).toBe(true);
  expect(await store.ask("t", "one", questions, "state")).toBe(true);
  expect(await columnsOf(database, "t")).toMatchObject({
    attempt: 0,
    leased_until: null,
    call: '{"of":"work"}',
  });
  expect(await store.get("t", "alice")).toMatchObject({
    status: "input_required",
    inputRequests: questions,
    isDue: false,
  });
  expect(await store.answer("t", "bob", { "2.a": 1 })).toBeUndefined();
  expect(await store.answer("t", "alice", { "1.a": 1 })).toBe("taken");
  expect(await store.answer("t", "alice", { "2.a": 1 })).toBe("taken");
  expect(await store.answer("t", "alice", { "2.a": 2 })).toBe("taken");
  // A repeated request does not ask the same again.
  expect(await store.ask("t", "one", questions, "state")).toBe(true);
  expect((await store.get("t", "alice"))?.inputRequests).toEqual({ "2.b": question });
  const both = await Promise.all([
    store.answer("t", "alice", { "2.a": 9, "2.b": 3 }),
    store.answer("t", "alice", { "2.b": 4 }),
  ]);
  expect(both).toEqual(["ready", "ready"]);
  const again = await store.take("t", "three");
  expect(again).toMatchObject({ outcome: "taken", attempt: 1, requestState: "state" });
  if (again.outcome !== "taken") throw new Error("It was not taken");
  expect(again.answers).toEqual([
    { key: "2.a", answer: 1 },
    { key: "2.b", answer: expect.toSatisfy((said) => said === 3 || said === 4) },
  ]);
  expect(await store.answer("t", "alice", { "2.b": 5 })).toBe("taken");
  expect(await store.ask("t", "three", { [`${again.version}.c`]: question }, undefined)).toBe(true);
  expect(await store.answer("t", "alice", { "2.b": 6 })).toBe("taken");
  expect(await store.answer("t", "alice", { [`${again.version}.c`]: 7 })).toBe("ready");
  expect(await store.take("t", "four")).toMatchObject({
    requestState: null,
    answers: [{ answer: 1 }, { key: "2.b" }, { answer: 7 }],
  });
});

test("answers have a size, all together", async () => {
  const { store, create } = await stored();
  await create("t");
  await store.take("t", "one");
  await store.ask("t", "one", { "2.a": question, "2.b": question }, undefined);
  const large = "x".repeat(0.6 * 1024 * 1024);
  expect(await store.answer("t", "alice", { "2.a": large })).toBe("taken");
  expect(await store.answer("t", "alice", { "2.b": large })).toBe("too_large");
  expect(await store.answer("t", "alice", { "2.b": 1 })).toBe("ready");
});

test("cancelling: by the owner or an operator, once; nobody else; and it ends the lease", async () => {
  const { database, store, create } = await stored();
  await create("t");
  await store.take("t", "one");
  expect(await store.cancel("t", "bob")).toBeUndefined();
  expect(await store.cancel("t", "alice")).toBe("cancelled");
  expect(await store.cancel("t", "alice")).toBe("cancelled");
  expect(await store.renew("t", "one")).toBe(false);
  expect(await store.finish("t", "one", { status: "completed", result: "{}" })).toBe(false);
  expect(await store.get("t", "alice")).toMatchObject({
    status: "cancelled",
    result: null,
    statusMessage: null,
  });
  await create("u");
  expect(await store.cancel("u", null)).toBe("cancelled");
  expect(await store.get("u", "alice")).toMatchObject({ statusMessage: "Cancelled by an operator" });
  await pass(database, 601);
  expect(await store.cancel("u", null)).toBeUndefined();
  expect(await endedTotals(database)).toEqual({ tasks_created: 2, "tasks_ended/cancelled": 2 });
});

test("one more attempt of a state that ended never changes it", async () => {
  const { database, create } = await stored();
  await create("t");
  for (const status of ["completed", "cancelled", "failed"])
    await database.query("SELECT mcp_end_task('t', $1, NULL)", [status]);
  expect(await columnsOf(database, "t")).toMatchObject({ status: "completed" });
  await expect(database.query("UPDATE mcp_tasks SET status = 'done'")).rejects.toThrow("check");
});

test("answers and a result have a mebibyte each, and a lease outlives the work of a request", () => {
  expect([ANSWERS_BYTES, RESULT_BYTES]).toEqual([1_048_576, 1_048_576]);
  expect([LEASE_SECONDS, START_SECONDS]).toEqual([35, 30]);
});

describe("one task", () => {
  let here: Awaited<ReturnType<typeof tasksIn>>;
  let made = 0;
  beforeAll(async () => {
    here = await tasksIn({ maxPerPrincipal: 1000 });
  });

  /** A task of its own, which somebody has taken as `one`. */
  async function taken() {
    const key = `task ${(made += 1)}`;
    const createdAt = await here.create(key);
    await here.store.take(key, "one");
    return { key, createdAt };
  }
  const expire = (key: string) =>
    here.database.query("UPDATE mcp_tasks SET expires_at = now() WHERE task_hash = $1", [key]);

  test("is shown with all that is known of it", async () => {
    const key = `task ${(made += 1)}`;
    const createdAt = await here.create(key);
    expect(await here.store.get(key, "alice")).toEqual({
      status: "working",
      result: null,
      inputRequests: {},
      statusMessage: null,
      createdAt,
      updatedAt: createdAt,
      expiresAt: new Date((createdAt?.getTime() ?? NaN) + 600_000),
      pollMs: 1000,
      isDue: false,
    });
  });

  test("is shown with the questions that are open", async () => {
    const { key } = await taken();
    await here.store.ask(key, "one", { "2.a": question, "2.b": question }, undefined);
    await here.store.answer(key, "alice", { "2.a": 1 });
    expect(await here.store.get(key, "alice")).toMatchObject({
      status: "input_required",
      inputRequests: { "2.b": question },
    });
  });

  test("is no more when it has expired, and its lease is not renewed", async () => {
    const { key } = await taken();
    expect([await here.store.renew(key, "one"), await here.store.renew(key, "two")]).toEqual([true, false]);
    await expire(key);
    expect(await here.store.get(key, "alice")).toBeUndefined();
    expect(await here.store.renew(key, "one")).toBe(false);
    expect(await here.store.cancel(key, "alice")).toBeUndefined();
  });

  test("is due when it is at work, and its time is over", async () => {
    await addTasks(here.database, {
      over: { dueIn: -1 },
      early: { dueIn: 60 },
      asking: { status: "input_required", dueIn: -1 },
      done: { status: "completed", dueIn: -1 },
      never: { status: "completed", dueIn: null },
    });
    const isDue = async (key: string) => (await here.store.get(key, "alice"))?.isDue;
    expect(await Promise.all(["over", "early", "asking", "done", "never"].map(isDue))).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  test("is taken once, and says so to others", async () => {
    const { key } = await taken();
    expect(await here.store.take(key, "two")).toEqual({ outcome: "busy" });
    expect(await here.store.finish(key, "one", { status: "completed", result: "{}" })).toBe(true);
    expect(await here.store.take(key, "two")).toEqual({ outcome: "over" });
    expect(await here.store.cancel(key, "alice")).toBe("ended");
  });

  test("says of each answer whether it was the last one, or too much", async () => {
    const { key } = await taken();
    await here.store.ask(key, "one", { "2.a": question, "2.b": question }, undefined);
    expect(await here.store.answer(key, "alice", { "2.a": "x".repeat(ANSWERS_BYTES) })).toBe("too_large");
    expect(await here.store.answer(key, "alice", { "2.a": 1 })).toBe("taken");
    expect(await here.store.answer(key, "alice", { "2.b": 1 })).toBe("ready");
    expect(await here.store.cancel(key, "alice")).toBe("cancelled");
  });

  test("is made, and made once, also when the answer of the database is lost", async () => {
    await setFaults({ fault: { kind: "lost-after-commit" }, times: 1, matching: "mcp_create_task" });
    const key = `task ${(made += 1)}`;
    const createdAt = await here.create(key);
    expect(createdAt).toBeInstanceOf(Date);
    expect(await here.store.get(key, "alice")).toMatchObject({ createdAt });
  });
});
