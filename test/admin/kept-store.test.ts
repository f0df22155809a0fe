// The stores of the operator's handles and tasks by themselves: what they find, and what they end.
import { beforeEach, describe, expect, inject, test } from "vitest";
import { createHandlesStore, createTasksStore } from "../../src/admin/kept-store.ts";
import { connect, type Database, type Operation } from "../../src/db/client.ts";
import { addHandles, addTasks } from "../support/kept.ts";
import { createDatabase, type TestDatabase } from "../support/worker.ts";

const EARLIER = "now() - interval '1 hour'";

let database: TestDatabase;
let operations: Operation[];
beforeEach(async () => {
  database = await createDatabase();
  operations = [];
});

function recording(): Database {
  const connection = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  return {
    run: (operation, work) => {
      operations.push(operation);
      // A busy machine may take longer.
      return connection.run({ ...operation, budgetMs: 60_000, attemptMs: 60_000 }, work);
    },
  };
}
const handles = () => createHandlesStore(recording(), { timeoutMs: 7654 });
const tasks = () => createTasksStore(recording(), { timeoutMs: 7654 });
const keysOf = ({ rows }: { rows: readonly { key: string }[] }) => rows.map(({ key }) => key);

const kinds = [
  { what: "handles", table: "mcp_handles", hash: "handle_hash", add: addHandles, store: handles },
  { what: "tasks", table: "mcp_tasks", hash: "task_hash", add: addTasks, store: tasks },
] as const;

describe.each(kinds)("of $what", ({ table, hash, add, store }) => {
  const keyOf = (start: string) => start.padEnd(64, "0");
  /** Gives the rows of a principal these keys. */
  async function addKeys(...starts: string[]) {
    for (const start of starts) {
      const [key] = await add(database, `of ${start}`);
      await database.query(`UPDATE ${table} SET ${hash} = $1 WHERE ${hash} = $2`, [keyOf(start), key]);
    }
  }

  test("each method is one operation that may be repeated", async () => {
    await store().list({ limit: 1 });
    await store().find(keyOf("a"));
    await store().end(keyOf("a"));
    const operation = (name: string) => ({ name: `${name} ${table}`, budgetMs: 7654, isIdempotent: true });
    expect(operations).toEqual([operation("listing"), operation("reading"), operation("ending")]);
  });

  test("one is active until it expires", async () => {
    const [live = ""] = await add(database, "alice");
    const [old = ""] = await add(database, "bob", { expiresAt: EARLIER });
    const { rows } = await store().list({ limit: 10 });
    expect(Object.fromEntries(rows.map(({ key, state }) => [key, state]))).toEqual({
      [live]: "active",
      [old]: "expired",
    });
    expect(keysOf(await store().list({ limit: 10, state: "active" }))).toEqual([live]);
    expect(keysOf(await store().list({ limit: 10, state: "expired" }))).toEqual([old]);
  });

  test("a name in the logs finds the keys that begin with it, and none beside them", async () => {
    await addKeys("0a1b2c3c", "0a1b2c3d", "0a1b2c3df", "0a1b2c3e");
    const name = "0a1b2c3d";
    expect(keysOf(await store().list({ limit: 10, handle: name, task: name }))).toEqual([
      keyOf("0a1b2c3d"),
      keyOf("0a1b2c3df"),
    ]);
  });

  test("a page has as many as it may, in the order of keys, and names its last one where there are more", async () => {
    await addKeys("a", "b", "c", "d");
    const page = async (limit: number, after?: string) => {
      const found = await store().list({ limit, after });
      return [keysOf(found), found.next];
    };
    const all = ["a", "b", "c", "d"].map(keyOf);
    expect(await page(3)).toEqual([all.slice(0, 3), keyOf("c")]);
    expect(await page(3, keyOf("c"))).toEqual([[keyOf("d")], null]);
    expect(await page(4)).toEqual([all, null]);
    expect(await page(5)).toEqual([all, null]);
    expect(await page(4, keyOf("d"))).toEqual([[], null]);
    // Nobody asks for it, and it is no error.
    expect(await page(0)).toEqual([[], null]);
  });

  test("a page looks at 5000 rows at most, and then names the last one that it has looked at", async () => {
    const all = await add(database, "alice", { count: 5001 });
    const expired = (after?: string) => store().list({ state: "expired", limit: 3, after });
    expect(await expired()).toEqual({ rows: [], next: all[4999] });
    expect(await expired(all[4999])).toEqual({ rows: [], next: null });
  });

  test("one is found by its key, with the bearer in its principal", async () => {
    const [key = ""] = await add(database, '["https://i.example","zoe"]');
    await add(database, "bob");
    expect(await store().find(key)).toMatchObject({
      key,
      principal: '["https://i.example","zoe"]',
      issuer: "https://i.example",
      subject: "zoe",
    });
    expect(await store().find(keyOf("f"))).toBeUndefined();
  });

  test("one is ended by its key, says whose it is, and leaves the others", async () => {
    // It stands before the other one in the table.
    const [other = ""] = await add(database, "bob");
    const [key = ""] = await add(database, "alice");
    expect(await store().end(key)).toEqual({ principal: "alice" });
    expect(await store().end(key)).toBeUndefined();
    expect(await store().end(keyOf("f"))).toBeUndefined();
    expect(await store().end(other)).toEqual({ principal: "bob" });
    const [old = ""] = await add(database, "carol", { expiresAt: EARLIER });
    expect(await store().end(old)).toBeUndefined();
  });
});

test("a handle has a name of eight characters, and its kind can be asked for", async () => {
  const [cart = ""] = await addHandles(database, "alice", { kind: "cart" });
  await addHandles(database, "alice", { kind: "form" });
  expect((await handles().list({ limit: 10, kind: "cart" })).rows).toEqual([
    expect.objectContaining({ key: cart, handle: cart.slice(0, 8), kind: "cart" }),
  ]);
});

test("a task has a name of eight characters, and its state and its tool can be asked for", async () => {
  const [report = ""] = await addTasks(database, "alice", { tool: "report" });
  await addTasks(database, "bob", { tool: "other" });
  await addTasks(database, "alice", { tool: "report", status: "completed" });
  const found = await tasks().list({ limit: 10, tool: "report", status: "working" });
  expect(found.rows).toEqual([
    expect.objectContaining({ key: report, task: report.slice(0, 8), tool: "report", status: "working" }),
  ]);
});

test.each([
  ["working", true],
  ["input_required", true],
  ["completed", false],
  ["cancelled", false],
  ["failed", false],
])("a task that is %s can be cancelled: %s", async (status, canBe) => {
  const [key = ""] = await addTasks(database, "alice", { status });
  expect(await tasks().end(key)).toEqual(canBe ? { principal: "alice" } : undefined);
});
