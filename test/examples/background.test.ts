// The app of docs/task-runners.md: its tool's call becomes a task, which its Queue runs.
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import {
  createExecutionContext,
  createMessageBatch,
  getQueueResult,
  waitOnExecutionContext,
} from "cloudflare:test";
import { expect, test } from "vitest";
import app from "../../examples/background/index.ts";
import { TASKS_EXTENSION } from "../../src/tasks/task.ts";
import { createDatabase, keys, REGULAR_CRON, type TestDatabase } from "../support/worker.ts";

/** The environment of a Worker with a Queue, and the messages that were sent to it. */
function withQueue(database: TestDatabase) {
  const sent: { task: string }[] = [];
  const queue = { send: async (message: { task: string }) => void sent.push(message) };
  return { sent, env: Object.assign(database.env({ MCP_TASKS: "true" }), { TASK_QUEUE: queue }) };
}

async function ask(env: Env, method: string, params: Record<string, unknown>) {
  const context = createExecutionContext();
  const response = await app.fetch(
    new Request("https://worker.test/mcp", {
      method: "POST",
      headers: {
        Authorization: `Bearer ${keys.alice}`,
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": method,
        "Mcp-Name": String(params["taskId"] ?? params["name"]),
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method,
        params: {
          ...params,
          _meta: {
            [PROTOCOL_VERSION_META_KEY]: "2026-07-28",
            [CLIENT_INFO_META_KEY]: { name: "test", version: "1.0.0" },
            [CLIENT_CAPABILITIES_META_KEY]: { extensions: { [TASKS_EXTENSION]: {} } },
          },
        },
      }),
    }),
    env,
    context,
  );
  await waitOnExecutionContext(context);
  const { result } = await response.json<{ result: Record<string, unknown> }>();
  return result;
}

/** Brings messages to the app's consumer. */
async function deliver(env: Env, bodies: unknown[]) {
  const messages = bodies.map((body, i) => ({ id: String(i), timestamp: new Date(), attempts: 1, body }));
  const batch = createMessageBatch("mcp-tasks", messages);
  const context = createExecutionContext();
  await app.queue(batch, env, context);
  return getQueueResult(batch, context);
}

test("a call becomes a task and a message, the message its result, and a second one changes nothing", async () => {
  const database = await createDatabase();
  const { env, sent } = withQueue(database);
  const made = await ask(env, "tools/call", { name: "write_report", arguments: { about: "today" } });
  expect(made).toMatchObject({ resultType: "task", status: "working" });
  expect(sent).toEqual([{ task: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
  expect(await deliver(env, sent)).toMatchObject({ explicitAcks: ["0"], retryMessages: [] });
  const taskId = made["taskId"];
  const ended = await ask(env, "tasks/get", { taskId });
  expect(ended).toMatchObject({
    status: "completed",
    result: { content: [{ text: "today: nothing to report, at attempt 1" }] },
  });
  expect(await deliver(env, sent)).toMatchObject({ explicitAcks: ["0"], retryMessages: [] });
  expect(await ask(env, "tasks/get", { taskId })).toEqual(ended);
});

test("a cron event of the app sends again what was lost", async () => {
  const database = await createDatabase();
  const { env, sent } = withQueue(database);
  await ask(env, "tools/call", { name: "write_report", arguments: { about: "today" } });
  const event = { cron: REGULAR_CRON, scheduledTime: Date.now() };
  await app.scheduled(event, env);
  expect(sent).toHaveLength(1);
  await database.query("UPDATE mcp_tasks SET leased_until = now()");
  await app.scheduled(event, env);
  expect(sent).toEqual([sent[0], sent[0]]);
});

test("without MCP_TASKS messages wait for a Worker that has it", async () => {
  const { env, sent } = withQueue(await createDatabase());
  await ask(env, "tools/call", { name: "write_report", arguments: { about: "today" } });
  const off = Object.assign({ ...env }, { MCP_TASKS: "false" });
  expect(await deliver(off, sent)).toMatchObject({ explicitAcks: [], retryMessages: [{ msgId: "0" }] });
});

test("a web page may ask before it calls, without a key", async () => {
  const { env } = withQueue(await createDatabase());
  const headers = { Origin: "http://localhost:3000", "Access-Control-Request-Method": "POST" };
  const preflight = new Request("http://localhost:8787/mcp", { method: "OPTIONS", headers });
  expect((await app.fetch(preflight, env, createExecutionContext())).status).toBe(204);
});
