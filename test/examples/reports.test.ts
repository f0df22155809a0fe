// Every piece of the reports that docs/tasks.md shows does what the page says of it.
import { expect, test } from "vitest";
import server from "../../examples/reports.ts";
import { openClient } from "../support/client.ts";
import { createWorker } from "../../src/worker.ts";
import { says, tasksWith } from "../tasks/wire.ts";

const reports = () => tasksWith((mcp, context) => void server.register(mcp, context));

test("a report becomes a task; for a client of sessions it is made in its request", async () => {
  const { call, settled } = await reports();
  const { taskId } = await call("make_report", { about: "Bees" });
  expect(await settled(taskId)).toMatchObject({
    status: "completed",
    result: says("Bees, page 1. Bees, page 2. Bees, page 3. (attempt 1)"),
  });
  const earlier = await openClient(createWorker(server), { MCP_TASKS: "true" });
  expect(await earlier.request("tools/call", { name: "make_report", arguments: { about: "Bees" } })).toEqual(
    says("Bees, page 1. Bees, page 2. Bees, page 3. (attempt in the request)"),
  );
});

test("a report is published after a question of its task", async () => {
  const { call, send, settled } = await reports();
  const { taskId } = await call("publish_report", { title: "Bees" });
  const { inputRequests = {} } = await settled(taskId);
  const [key = ""] = Object.keys(inputRequests);
  expect(inputRequests[key]?.params.message).toBe("Publish Bees?");
  const inputResponses = { [key]: { action: "accept", content: { publish: true } } };
  await send("tasks/update", { taskId, inputResponses });
  expect(await settled(taskId)).toMatchObject({ status: "completed", result: says("Published Bees") });
});

test("copies are asked for before there is a task, and too many fail it", async () => {
  const { send, settled } = await reports();
  const print = async (copies: number) => {
    const { result } = await send("tools/call", {
      name: "print_report",
      arguments: {},
      inputResponses: { order: { action: "accept", content: { copies } } },
    });
    return settled(result.taskId);
  };
  expect((await send("tools/call", { name: "print_report", arguments: {} })).result).toMatchObject({
    resultType: "input_required",
  });
  expect(await print(2)).toMatchObject({ status: "completed", result: says("Printed 2 copies") });
  expect(await print(101)).toMatchObject({
    status: "failed",
    error: { code: -32_000, message: "The printer has too little paper" },
  });
});
