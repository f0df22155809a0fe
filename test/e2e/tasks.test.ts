// Tasks, with the official client pinned to 2026-07-28: two Workers that take turns, and a restart of both in the middle.
import { Client, SdkError, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { TASKS_EXTENSION } from "../../src/tasks/task.ts";
import { type Gate, startGate } from "./gate.ts";
import { startSystem, type System, type TestWorker } from "./support.ts";

const script = fileURLToPath(new URL("../support/task-worker.ts", import.meta.url));
const POLL_MS = 50;

let system: System;
let gate: Gate;
let workers: readonly [TestWorker, TestWorker];
beforeAll(async () => {
  [system, gate] = await Promise.all([startSystem(), startGate()]);
  const vars = { MCP_TASKS: "true", TEST_GATE: gate.url };
  workers = await Promise.all([system.startWorker(vars, { script }), system.startWorker(vars, { script })]);
});
afterAll(async () => {
  await Promise.all([system.stop(), gate.close()]);
});

const seenTask = z.looseObject({
  taskId: z.string(),
  status: z.string(),
  result: z.looseObject({ content: z.tuple([z.object({ text: z.string() })]) }).optional(),
  inputRequests: z.record(z.string(), z.looseObject({ params: z.looseObject({}) })).optional(),
});
type SeenTask = z.infer<typeof seenTask>;

/** A client whose requests reach one Worker after the other. It knows tasks as far as SDK 2.4 does. */
async function connect(principal: "alice" | "bob") {
  const heard: string[] = [];
  let turn = 0;
  const client = new Client(
    { name: "pinned", version: "1.0.0" },
    {
      capabilities: { elicitation: { form: {} }, extensions: { [TASKS_EXTENSION]: {} } },
      versionNegotiation: { mode: { pin: "2026-07-28" } },
    },
  );
  const transport = new StreamableHTTPClientTransport(workers[0].mcp, {
    async fetch(_, init) {
      const response = await fetch(workers[turn++ % 2 === 0 ? 0 : 1].mcp, init);
      heard.push(await response.clone().text());
      return response;
    },
    requestInit: { headers: { Authorization: `Bearer ${system.keys[principal]}` } },
  });
  await client.connect(transport);
  const ask = (method: string, params: Record<string, unknown>) =>
    client.request({ method, params }, z.looseObject({}));
  const get = async (taskId: string) => seenTask.parse(await ask("tasks/get", { taskId }));
  return {
    client,
    ask,
    get,
    /** The task that a call has become. The client takes it for a result that it does not support. */
    async call(name: string, args: Record<string, unknown>): Promise<SeenTask> {
      const refused: unknown = await client
        .callTool({ name, arguments: args })
        .catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(SdkError);
      return seenTask.parse(JSON.parse(heard.at(-1) ?? "").result);
    },
    /** Asks until the task is no longer at work. */
    async rest(taskId: string): Promise<SeenTask> {
      for (;;) {
        const task = await get(taskId);
        if (task.status !== "working") return task;
        await sleep(POLL_MS);
      }
    },
  };
}

const textOf = ({ result }: SeenTask) => result?.content[0].text;

test("the server declares the extension to a client of 2026-07-28", async () => {
  const { client } = await connect("alice");
  expect(client.getServerCapabilities()?.extensions).toEqual({ [TASKS_EXTENSION]: {} });
  await client.close();
});

test("a task is seen by both Workers, and its result after a restart of both; another principal sees nothing", async () => {
  const alice = await connect("alice");
  const bob = await connect("bob");
  const { taskId, status } = await alice.call("work", { name: "long" });
  expect(status).toBe("working");
  await gate.arrived("long");
  for (let i = 0; i < 2; i++) expect(await alice.get(taskId)).toMatchObject({ taskId, status: "working" });
  for (const method of ["tasks/get", "tasks/update", "tasks/cancel"])
    await expect(bob.ask(method, { taskId, inputResponses: {} })).rejects.toMatchObject({ code: -32_602 });
  gate.open("long");
  expect(textOf(await alice.rest(taskId))).toBe("long: done at attempt 1");
  await Promise.all(workers.map((worker) => worker.restart()));
  for (let i = 0; i < 2; i++)
    expect(await alice.get(taskId)).toMatchObject({ status: "completed", ttlMs: 3_600_000 });
  await expect(bob.get(taskId)).rejects.toMatchObject({ code: -32_602 });
});

test("a task that is at work when both Workers are killed is taken up again", async () => {
  const alice = await connect("alice");
  const { taskId } = await alice.call("work", { name: "killed" });
  await gate.arrived("killed");
  await Promise.all(workers.map((worker) => worker.restart({ isKilled: true })));
  expect(await alice.get(taskId)).toMatchObject({ status: "working" });
  await system.ask("UPDATE mcp_tasks SET leased_until = clock_timestamp() WHERE leased_until IS NOT NULL");
  await alice.get(taskId);
  await gate.arrived("killed", 2);
  gate.open("killed");
  expect(textOf(await alice.rest(taskId))).toBe("killed: done at attempt 2");
});

test("a task asks, across a restart, and is answered once", async () => {
  const alice = await connect("alice");
  const { taskId } = await alice.call("ask", { name: "Bee" });
  const { inputRequests = {}, status } = await alice.rest(taskId);
  expect(status).toBe("input_required");
  const [[key, { params }] = ["", { params: {} }]] = Object.entries(inputRequests);
  expect(params).toMatchObject({ message: "A word for Bee?" });
  await Promise.all(workers.map((worker) => worker.restart()));
  for (const word of ["hum", "buzz"])
    await alice.ask("tasks/update", {
      taskId,
      inputResponses: { [key]: { action: "accept", content: { word } } },
    });
  expect(textOf(await alice.rest(taskId))).toBe("Bee says hum");
});

test("a cancelled task stays cancelled, whatever its tool ends in", async () => {
  const alice = await connect("alice");
  const { taskId } = await alice.call("work", { name: "unwanted" });
  await gate.arrived("unwanted");
  await alice.ask("tasks/cancel", { taskId });
  expect(await alice.get(taskId)).toMatchObject({ status: "cancelled" });
  gate.open("unwanted");
  await alice.ask("tasks/cancel", { taskId });
  // The runner has come to its end when another task has run after it.
  const { taskId: next } = await alice.call("work", { name: "unwanted" });
  await alice.rest(next);
  expect(await alice.get(taskId)).toMatchObject({ status: "cancelled" });
  await expect(alice.get("no-such-task")).rejects.toMatchObject({ code: -32_602 });
});
