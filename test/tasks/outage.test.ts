// While the database fails: a request is refused as every other one, and nothing is said of tasks.
import { afterEach, expect, test } from "vitest";
import * as z from "zod";
import { setFaults } from "../support/worker.ts";
import { says, tasksWith } from "./wire.ts";

afterEach(() => setFaults());

const down = { fault: { kind: "quota" } } as const;
const unavailable = { status: 503, jsonrpc: "2.0", id: null, error: { code: expect.any(Number) } };

test("neither is a call answered that is not kept, nor a task unknown that cannot be asked for", async () => {
  let calls = 0;
  const { call, send, settled, database } = await tasksWith((server, { task }) => {
    const none = { inputSchema: z.object({}) };
    server.registerTool(
      "work",
      none,
      task(() => says(`call ${++calls}`)),
    );
  });
  const { taskId } = await call("work");
  expect((await settled(taskId)).status).toBe("completed");
  await setFaults(down);
  expect(await send("tools/call", { name: "work", arguments: {} })).toMatchObject(unavailable);
  for (const method of ["tasks/get", "tasks/update", "tasks/cancel"])
    expect(await send(method, { taskId, inputResponses: {} })).toMatchObject(unavailable);
  await setFaults();
  expect((await settled(taskId)).result).toEqual(says("call 1"));
  expect(await database.query("SELECT FROM mcp_tasks")).toHaveLength(1);
});

test("an answer that is lost on the way from the database makes one task, and ends it once", async () => {
  const lost = { kind: "lost-after-commit" } as const;
  const { call, settled, database } = await tasksWith((server, { task }) => {
    const none = { inputSchema: z.object({}) };
    server.registerTool(
      "work",
      none,
      task(() => says("done")),
    );
  });
  await setFaults(
    ...["mcp_create_task", "mcp_take_task", "mcp_finish_task"].map((matching) => ({
      fault: lost,
      matching,
      times: 1,
    })),
  );
  const { taskId } = await call("work");
  expect(await settled(taskId)).toMatchObject({ status: "completed", result: says("done") });
  expect(await database.query("SELECT attempt FROM mcp_tasks")).toEqual([{ attempt: 1 }]);
  expect(
    await database.query(
      "SELECT name, sum(value)::int AS value FROM mcp_session_totals WHERE name LIKE 'tasks_%' GROUP BY name ORDER BY name",
    ),
  ).toEqual([
    { name: "tasks_created", value: 1 },
    { name: "tasks_ended/completed", value: 1 },
  ]);
});
