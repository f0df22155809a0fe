// Cron events take up tasks that nobody runs.
import { expect, test } from "vitest";
import { logged } from "../support/captured-logs.ts";
import {
  addSessions,
  createDatabase,
  databaseRequests,
  fire,
  IMMEDIATE_CRON,
  REGULAR_CRON,
  remaining,
  setFaults,
  type TestDatabase,
} from "../support/worker.ts";
import { addTasks, passForLeases, taskRows } from "./rows.ts";

const on = { MCP_TASKS: "true" };

/** The environment of a Worker with a Queue, and the keys that were sent to it. */
function withQueue(database: TestDatabase) {
  const sent: string[] = [];
  const queue = { send: async ({ task }: { task: string }) => void sent.push(task) };
  return { sent, env: Object.assign(database.env(on), { TASK_QUEUE: queue }) };
}

test("without a binding the event itself runs what is due, five at once", async () => {
  const database = await createDatabase();
  // No Worker of this version can have made this call: so its task ends at once.
  const names = Array.from({ length: 7 }, (_, i) => `due-${i}`);
  await addTasks(database, Object.fromEntries(names.map((name, i) => [name, { dueIn: i - 100 }])));
  await fire(database.env(on), REGULAR_CRON);
  const statuses = async () => Object.values(await taskRows(database)).map(({ status }) => status);
  expect(await statuses()).toEqual([...Array<string>(5).fill("failed"), "working", "working"]);
  await fire(database.env(on), REGULAR_CRON);
  expect(await statuses()).toEqual(Array<string>(7).fill("failed"));
});

test("with a Queue the event hands over forty, and the next event the rest", async () => {
  const database = await createDatabase();
  const names = Array.from({ length: 45 }, (_, i) => `due-${String(i).padStart(2, "0")}`);
  await addTasks(database, Object.fromEntries(names.map((name, i) => [name, { dueIn: i - 100 }])));
  const { env, sent } = withQueue(database);
  await fire(env, REGULAR_CRON);
  expect(sent.toSorted()).toEqual(names.slice(0, 40));
  await fire(env, REGULAR_CRON);
  expect(sent.toSorted()).toEqual(names);
  await fire(env, REGULAR_CRON);
  expect(sent).toHaveLength(45);
  await passForLeases(database, 31);
  await fire(env, REGULAR_CRON);
  expect(sent).toHaveLength(85);
  expect(logged("Tasks picked up")).toEqual(
    [40, 5, 40].map((started) => expect.objectContaining({ tier: "regular", started, lost: 0 })),
  );
});

test("a tier that is switched off, and a Worker without MCP_TASKS, look for none", async () => {
  const database = await createDatabase();
  await addTasks(database, { due: {} });
  const { env, sent } = withQueue(database);
  const before = await databaseRequests();
  await fire(env, IMMEDIATE_CRON);
  expect(await databaseRequests()).toBe(before);
  await fire(Object.assign({ ...env }, { MCP_TASKS: "false" }), REGULAR_CRON);
  expect(await databaseRequests()).toBe(before + 1);
  expect(sent).toEqual([]);
  await fire(Object.assign({ ...env }, { MCP_AGGRESSIVE_CLEANUP: "true" }), IMMEDIATE_CRON);
  expect(sent).toEqual(["due"]);
});

test("neither the cleanup nor the tasks keep the other from its work, and the event fails", async () => {
  const database = await createDatabase();
  await addTasks(database, { due: {} });
  await addSessions(database, { old: "2000-01-01" });
  const { env, sent } = withQueue(database);
  await setFaults({ fault: { kind: "quota" }, matching: "mcp_find_due_tasks" });
  await expect(fire(env, REGULAR_CRON)).rejects.toThrow("finding due tasks");
  expect(await remaining(database)).toEqual([]);
  expect(logged("Tasks not picked up")).toEqual([
    expect.objectContaining({ level: "ERROR", tier: "regular", error: "DatabaseFault" }),
  ]);
  await addSessions(database, { old: "2000-01-01" });
  await setFaults({ fault: { kind: "quota" }, matching: "mcp_cleanup_sessions" });
  await expect(fire(env, REGULAR_CRON)).rejects.toThrow("regular cleanup");
  await setFaults();
  expect(sent).toEqual(["due"]);
});
