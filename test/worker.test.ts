// The doors of a Worker: when its variables are read, and what it says when they are wrong.
import { createExecutionContext } from "cloudflare:test";
import { expect, test } from "vitest";
import { defineServer } from "../src/public/mcp.ts";
import { ConfigurationError } from "../src/settings.ts";
import { createWorker } from "../src/worker.ts";
import { logged } from "./support/captured-logs.ts";
import { open } from "./support/mcp.ts";
import { createDatabase, environment, keys, REGULAR_CRON, send } from "./support/worker.ts";

const server = defineServer({ name: "doors", version: "1.0.0", register: () => {} });
const request = () => new Request("https://worker.test/healthz");

test("an environment is read once", async () => {
  const worker = createWorker(server);
  let reads = 0;
  const env = new Proxy(environment(), {
    get(target, name, receiver) {
      if (name === "MCP_SESSION_TTL_SECONDS") reads += 1;
      return Reflect.get(target, name, receiver);
    },
  });
  for (let i = 0; i < 3; i++)
    expect((await worker.fetch(request(), env, createExecutionContext())).status).toBe(200);
  const afterThree = reads;
  expect(afterThree).toBeGreaterThan(0);
  await worker.fetch(request(), environment(), createExecutionContext());
  await worker.fetch(request(), env, createExecutionContext());
  expect(reads).toBe(afterThree);
});

test("the log is as the variables say", async () => {
  const worker = createWorker(server);
  for (const [LOG_LEVEL, lines] of [
    ["error", 0],
    ["info", 1],
  ] as const) {
    await worker.fetch(request(), environment({ LOG_LEVEL }), createExecutionContext());
    expect([LOG_LEVEL, logged("request").length]).toEqual([LOG_LEVEL, lines]);
  }
});

test("each door says which variables are wrong", async () => {
  const worker = createWorker(server);
  const env = environment({ MCP_CLEANUP_BATCH_SIZE: "many" });
  const said = (message: string) =>
    logged(message).map(({ kind, variables, cron }) => ({
      kind,
      variables: Object.keys(Object(variables)),
      cron,
    }));
  const wrong = { kind: "configuration_invalid", variables: ["MCP_CLEANUP_BATCH_SIZE"] };
  const response = await worker.fetch(request(), env, createExecutionContext());
  expect(response.status).toBe(500);
  expect(said("The configuration is wrong")).toEqual([{ ...wrong, cron: undefined }]);
  const event = { cron: REGULAR_CRON, scheduledTime: Date.now() };
  await expect(worker.scheduled(event, env)).rejects.toBeInstanceOf(ConfigurationError);
  expect(said("session_cleanup_task_failed")).toEqual([{ ...wrong, cron: REGULAR_CRON }]);
  await expect(worker.runTask("k", env, createExecutionContext())).rejects.toBeInstanceOf(ConfigurationError);
  expect(said("The configuration is wrong")).toHaveLength(2);
});

test("a task that cannot be run, for another reason, is no mistake of the configuration", async () => {
  const worker = createWorker(server);
  // There is no such database.
  const env = environment({ MCP_TASKS: "true", MCP_SESSION_TIMEOUT_MS: "1000" });
  await expect(worker.runTask("k", env, createExecutionContext())).rejects.not.toBeInstanceOf(
    ConfigurationError,
  );
  expect(logged("The configuration is wrong")).toEqual([]);
});

test.each([
  ["true", 404],
  ["false", 405],
])(
  "with MCP_STREAMS=%s a stream that is unknown is answered with %i when it is to be read again",
  async (MCP_STREAMS, status) => {
    const env = (await createDatabase()).env({ MCP_STREAMS });
    const headers = {
      Authorization: `Bearer ${keys.alice}`,
      Accept: "text/event-stream",
      "Mcp-Session-Id": await open(env),
      "Last-Event-ID": `${crypto.randomUUID()}/1`,
    };
    const response = await send(env, "/mcp", { headers });
    expect(response.status).toBe(status);
    await response.body?.cancel();
  },
);
