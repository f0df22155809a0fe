// The cron door of an app of somebody else, with the tasks of its server.
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { expect, test } from "vitest";
import { scheduledCleanup } from "../../src/public/cron.ts";
import { defineServer } from "../../src/public/mcp.ts";
import { taskEvents } from "../../src/public/tasks.ts";
import { poll } from "../support/cleanup.ts";
import { createDatabase, REGULAR_CRON } from "../support/worker.ts";
import { addTasks, taskRows } from "../tasks/rows.ts";

const events = taskEvents(defineServer({ name: "cron", version: "1.0.0", register: () => {} }));
const event = () => ({ cron: REGULAR_CRON, scheduledTime: Date.now() });

test("without a binding the event keeps the Worker running until the tasks that are due have ended", async () => {
  const database = await createDatabase();
  const statuses = async () => Object.values(await taskRows(database)).map(({ status }) => status);
  // The server has no such tool: so the task ends at once.
  await addTasks(database, { due: {} });
  const context = createExecutionContext();
  let waits = 0;
  await scheduledCleanup(events)(event(), database.env({ MCP_TASKS: "true" }), {
    waitUntil(promise) {
      waits += 1;
      context.waitUntil(promise);
    },
  });
  await waitOnExecutionContext(context);
  expect([waits, await statuses()]).toEqual([1, ["failed"]]);
});

test("without a context the tasks are run as well", async () => {
  const database = await createDatabase();
  await addTasks(database, { due: {} });
  await scheduledCleanup(events)(event(), database.env({ MCP_TASKS: "true" }));
  const ended = async () =>
    Object.values(await taskRows(database)).filter(({ status }) => status !== "working");
  expect(await poll(ended)).toMatchObject({ status: "failed" });
});
