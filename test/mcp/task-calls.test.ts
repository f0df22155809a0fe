// Which calls become tasks, what is kept of them, and what their clients are told.
import { McpServer, ProtocolError } from "@modelcontextprotocol/server";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { runHere, type TaskCalls, taskCallsOf, taskCallsOfRun } from "../../src/mcp/task-calls.ts";
import type { TaskOptions } from "../../src/tasks/may-be-task.ts";
import type { NewTask } from "../../src/tasks/store.ts";
import { keyOfTask, TASKS_EXTENSION } from "../../src/tasks/task.ts";
import { says, served, taskRequestOf } from "./served.ts";

const CREATED = new Date("2026-11-25T05:00:00.123Z");
const REPLACED = { content: [], isError: true };
const call = { name: "do", arguments: {} };
const MUTE = { elicitation: {} };
const undeclared = {
  code: -32021,
  message: `This needs a client that declares the extension ${TASKS_EXTENSION}`,
  data: { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } },
};

type Handler = () => Promise<object>;

/** Makes servers with the tool `do`. */
const serverOf =
  ({ prepare }: TaskCalls, handler: Handler) =>
  async () => {
    const server = new McpServer({ name: "test", version: "1" });
    prepare?.(server);
    server.registerTool("do", { inputSchema: z.object({}) }, async () => ({
      ...says(""),
      ...(await handler()),
    }));
    return server;
  };

/** A client's call of a tool that may be a task, and the tasks that were made. */
function calling(handler: Handler = async () => says("done"), options: TaskOptions = {}) {
  const made: NewTask[] = [];
  const { request, ...rest } = taskRequestOf({
    create: async (task) => {
      made.push(task);
      return CREATED;
    },
  });
  const calls = taskCallsOf(request);
  const create = serverOf(calls, calls.task(options, handler));
  const send = (capabilities?: object) => served(create, "tools/call", call, capabilities);
  return { ...rest, calls, made, send };
}

describe("without tasks", () => {
  test("a handler that may be a task is the handler", () => {
    const handler = async () => says("done");
    expect(runHere.task(handler)).toBe(handler);
    expect(runHere.task({ required: true }, handler)).toBe(handler);
    expect([runHere.taskRun, runHere.prepare]).toEqual([undefined, undefined]);
  });

  test("a task needs a handler", () => {
    expect(() => runHere.task({}, undefined as never)).toThrow(new TypeError("A task needs a handler"));
  });
});

describe("an option", () => {
  const handler = async () => says("done");

  test.each<[keyof TaskOptions, number, number]>([
    ["ttlSeconds", 60, 604_800],
    ["pollMs", 1, 3_600_000],
    ["attempts", 1, 100],
  ])("%s is a whole number from %d to %d, or left out", (name, min, max) => {
    for (const value of [min, max, undefined]) expect(runHere.task({ [name]: value }, handler)).toBe(handler);
    const problem = new RangeError(`${name} of a task must be a whole number from ${min} to ${max}`);
    for (const value of [min - 1, max + 1, min + 0.5, NaN, Infinity, -min])
      expect(() => runHere.task({ [name]: value }, handler)).toThrow(problem);
  });
});

describe("a client that knows no tasks", () => {
  test.each([{}, { required: false }, { ttlSeconds: 60 }])(
    "waits while the tool runs: %j",
    async (options) => {
      const { send, made, started } = calling(undefined, options);
      expect(await send(MUTE)).toEqual({ id: 7, result: { resultType: "complete", ...says("done") } });
      expect([made, started]).toEqual([[], []]);
    },
  );

  test("is refused where the tool must be a task, and the tool does not run", async () => {
    let times = 0;
    const { send, made } = calling(async () => says(`${(times += 1)}`), { required: true });
    expect(await send(MUTE)).toEqual({ id: 7, error: undeclared });
    expect([times, made]).toEqual([0, []]);
  });
});

describe("a client that knows tasks", () => {
  test("gets a task in the place of a result, and the tool does not run before it is kept", async () => {
    let times = 0;
    const { send, made, started, here } = calling(async () => says(`${(times += 1)}`));
    const { result } = await send();
    expect(result).toEqual({
      resultType: "task",
      taskId: expect.stringMatching(/^[\w-]{43}$/),
      status: "working",
      createdAt: "2026-11-25T05:00:00.123Z",
      lastUpdatedAt: "2026-11-25T05:00:00.123Z",
      ttlMs: 3_600_000,
      pollIntervalMs: 1000,
    });
    const key = await keyOfTask(result.taskId);
    const stored = {
      caller: { kind: "key", name: "alice", scopes: ["mcp"] },
      url: "https://worker.test/mcp",
      headers: {},
      params: { name: "do", arguments: {}, _meta: {} },
    };
    expect(made).toEqual([
      {
        key,
        owner: "alice",
        tool: "do",
        call: JSON.stringify(stored),
        onLost: "fail",
        maxAttempts: 1,
        pollMs: 1000,
        ttlSeconds: 3600,
      },
    ]);
    expect([started, times]).toEqual([[[{ key }, here]], 0]);
  });

  test.each<[TaskOptions, Partial<NewTask>]>([
    [
      { onLost: "fail", attempts: 5 },
      { onLost: "fail", maxAttempts: 1 },
    ],
    [{ onLost: "retry" }, { onLost: "retry", maxAttempts: 3 }],
    [
      { onLost: "retry", attempts: 5 },
      { onLost: "retry", maxAttempts: 5 },
    ],
    [{ attempts: 5 }, { onLost: "fail", maxAttempts: 1 }],
    [
      { ttlSeconds: 60, pollMs: 1 },
      { ttlSeconds: 60, pollMs: 1 },
    ],
    [{ required: true }, { onLost: "fail" }],
  ])("gets one as the author has chosen it: %j", async (options, task) => {
    const { send, made } = calling(undefined, options);
    const { result } = await send();
    expect(made).toEqual([expect.objectContaining(task)]);
    const [kept] = made;
    expect(result).toMatchObject({ ttlMs: Number(kept?.ttlSeconds) * 1000, pollIntervalMs: kept?.pollMs });
  });

  test("gets the result of a tool that is no task, with its content", async () => {
    const { calls, made } = calling();
    const result = { ...says("done"), structuredContent: { resultType: "task" } };
    expect(
      await served(
        serverOf(calls, async () => result),
        "tools/call",
        call,
      ),
    ).toEqual({
      id: 7,
      result: { resultType: "complete", ...result },
    });
    expect(made).toEqual([]);
  });

  test("gets one task of a tool that asks for two", async () => {
    const { calls, made } = calling();
    const handler = calls.task(async () => says("done"));
    const twice = async () => {
      expect(await handler()).toEqual(REPLACED);
      return handler();
    };
    const { result } = await served(serverOf(calls, twice), "tools/call", call);
    expect([result.resultType, made.length]).toEqual(["task", 1]);
  });

  test("is told when it has too many, and nothing is started", async () => {
    const { request, started } = taskRequestOf({ create: async () => undefined });
    const calls = taskCallsOf(request);
    const create = serverOf(
      calls,
      calls.task(async () => says("done")),
    );
    const message = "You have too many tasks that have not ended: wait for one, or cancel one";
    expect(await served(create, "tools/call", call)).toEqual({ id: 7, error: { code: -32603, message } });
    expect(started).toEqual([]);
  });

  test("is refused when the task cannot be kept, and the request is told why", async () => {
    const failure = new Error("down");
    const { request, started, failures } = taskRequestOf({ create: () => Promise.reject(failure) });
    const calls = taskCallsOf(request);
    const create = serverOf(
      calls,
      calls.task(async () => says("done")),
    );
    expect(await served(create, "tools/call", call)).toMatchObject({ id: 7, error: { message: "down" } });
    expect([started, failures]).toEqual([[], [failure]]);
  });

  test("is refused for what is no call of a tool", async () => {
    const { request, started } = taskRequestOf({}, { call: undefined });
    const calls = taskCallsOf(request);
    const create = serverOf(
      calls,
      calls.task(async () => says("done")),
    );
    const message = "Only the call of a tool can become a task";
    expect(await served(create, "tools/call", call)).toMatchObject({ id: 7, error: { message } });
    expect(started).toEqual([]);
  });

  test("reads that tasks are served", async () => {
    const { calls } = calling();
    const { result } = await served(
      serverOf(calls, async () => says("")),
      "server/discover",
    );
    expect(result.capabilities.extensions).toEqual({ [TASKS_EXTENSION]: {} });
  });
});

test("a handler that is called before any client has called its tool runs", async () => {
  const { calls, made } = calling();
  expect(await calls.task(async () => says("done"))()).toEqual(says("done"));
  expect(made).toEqual([]);
});

test("what stands in for a replaced result passes every schema of results", async () => {
  const { calls } = calling();
  expect(await calls.task({ required: true }, async () => says("done"))()).toEqual(REPLACED);
});

describe("the call of a task that is run", () => {
  const taskRun = { key: "a".repeat(64), attempt: 2 };
  const run = async (handler: Handler) => {
    const calls = taskCallsOfRun(taskRun);
    return served(serverOf(calls, calls.task({ required: true }, handler)), "tools/call", call);
  };

  test("runs its handler, whatever the client knows, and says which run it is", async () => {
    expect(taskCallsOfRun(taskRun).taskRun).toBe(taskRun);
    const complete = { id: 7, result: { resultType: "complete", ...says("done") } };
    expect(await run(async () => says("done"))).toEqual(complete);
  });

  test("ends with an error of the protocol as that error, and with the first of several", async () => {
    const refused = new ProtocolError(-32_000, "refused", { because: "of it" });
    const error = { code: -32_000, message: "refused", data: { because: "of it" } };
    expect(await run(() => Promise.reject(refused))).toEqual({ id: 7, error });
    const calls = taskCallsOfRun(taskRun);
    const errors = [refused, new ProtocolError(-32_001, "again")];
    const handler = calls.task(async () => {
      throw errors.shift() ?? new Error("no more");
    });
    const twice = async () => {
      expect(await handler()).toEqual(REPLACED);
      return handler();
    };
    expect(await served(serverOf(calls, twice), "tools/call", call)).toEqual({ id: 7, error });
  });

  test("ends with any other error as a result", async () => {
    expect(await run(() => Promise.reject(new Error("a mistake")))).toEqual({
      id: 7,
      result: { resultType: "complete", ...says("a mistake"), isError: true },
    });
  });
});
