// Calls that become tasks, as their clients see them.
import { McpServer, ProtocolError } from "@modelcontextprotocol/server";
import { expect, test, vi } from "vitest";
import * as z from "zod";
import { keyOfTask, TASKS_EXTENSION } from "../../src/tasks/task.ts";
import { keys } from "../support/worker.ts";
import { gate, says, tasksWith } from "./wire.ts";

const none = { inputSchema: z.object({}) };
const MISSING = { code: -32021, data: { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } } };

test("a call becomes a task that is there before its answer, and ends on any isolate", async () => {
  const going = gate();
  const { send, get, settled, database } = await tasksWith((server, { task, taskRun, caller }) => {
    server.registerTool(
      "work",
      { inputSchema: z.object({ on: z.string() }) },
      task({ ttlSeconds: 120, pollMs: 250 }, async ({ on }) => {
        await going.opened;
        return says(`${caller.name} works on ${on}, attempt ${taskRun?.attempt}`);
      }),
    );
  });
  const { status, result } = await send("tools/call", { name: "work", arguments: { on: "it" } });
  expect(status).toBe(200);
  const made = {
    taskId: expect.stringMatching(/^[\w-]{43}$/),
    status: "working",
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    lastUpdatedAt: result.createdAt,
    ttlMs: 120_000,
    pollIntervalMs: 250,
  };
  const { _meta, ...answer } = result;
  expect(answer).toEqual({ resultType: "task", ...made });
  const seen = await get(result.taskId);
  expect(seen).toMatchObject({ resultType: "complete", ...made });
  expect(seen).not.toHaveProperty("result");
  going.open();
  const ended = await settled(result.taskId);
  expect(ended).toMatchObject({ status: "completed", taskId: result.taskId });
  expect(ended.result).toEqual(says("alice works on it, attempt 1"));
  expect(ended).not.toHaveProperty("inputRequests");
  expect(Date.parse(ended.lastUpdatedAt)).toBeGreaterThanOrEqual(Date.parse(ended.createdAt));
  const [row] = await database.query("SELECT task_hash, call, status, leased_until FROM mcp_tasks");
  expect(row).toEqual({
    task_hash: await keyOfTask(result.taskId),
    call: null,
    status: "completed",
    leased_until: null,
  });
});

test("what a tool says of a mistake is a result; an error of the protocol is the end of a failed task", async () => {
  const { call, settled } = await tasksWith((server, { task }) => {
    server.registerTool(
      "says",
      none,
      task(() => ({ ...says("a mistake"), isError: true })),
    );
    server.registerTool(
      "throws",
      none,
      task(() => {
        throw new Error("thrown");
      }),
    );
    server.registerTool(
      "refuses",
      none,
      task(() => {
        throw new ProtocolError(-32_000, "refused", { because: "of it" });
      }),
    );
  });
  const ends = await Promise.all(
    ["says", "throws", "refuses"].map(async (name) => settled((await call(name)).taskId)),
  );
  expect(ends.map(({ status, result, error }) => ({ status, result, error }))).toEqual([
    { status: "completed", result: { ...says("a mistake"), isError: true } },
    { status: "completed", result: { ...says("thrown"), isError: true } },
    { status: "failed", error: { code: -32_000, message: "refused", data: { because: "of it" } } },
  ]);
});

test("a tool with a schema of its result, and one without arguments, become tasks, too", async () => {
  const { call, settled } = await tasksWith((server, { task }) => {
    server.registerTool(
      "sum",
      { inputSchema: z.object({ of: z.array(z.number()) }), outputSchema: z.object({ sum: z.number() }) },
      task(({ of }) => {
        const sum = of.reduce((before, one) => before + one, 0);
        return { structuredContent: { sum }, content: [] };
      }),
    );
    server.registerTool(
      "bare",
      {},
      task(({ mcpReq }) => says(`called by ${mcpReq.method}`)),
    );
  });
  expect(await settled((await call("sum", { of: [1, 2] })).taskId)).toMatchObject({
    status: "completed",
    result: { structuredContent: { sum: 3 } },
  });
  expect(await settled((await call("bare")).taskId)).toMatchObject({
    status: "completed",
    result: says("called by tools/call"),
  });
});

test("an argument that its client repeats in a header is there when the task is run", async () => {
  const region = z.string().meta({ "x-mcp-header": "Region" });
  const { send, settled } = await tasksWith((server, { task }) => {
    server.registerTool(
      "store",
      { inputSchema: z.object({ region }) },
      task((input) => says(`in ${input.region}`)),
    );
  });
  const call = { name: "store", arguments: { region: "north" } };
  expect((await send("tools/call", call)).error?.code).toBe(-32_020);
  const { result } = await send("tools/call", call, { headers: { "Mcp-Param-Region": "north" } });
  expect((await settled(result.taskId)).result).toEqual(says("in north"));
});

test("arguments that a tool does not take, and a caller without its scopes, make no task", async () => {
  const { send, database } = await tasksWith((server, { task, requireScopes }) => {
    const handler = task(() => says("done"));
    server.registerTool("work", { inputSchema: z.object({ on: z.string() }) }, handler);
    server.registerTool("read", { ...none, scopeChallenge: requireScopes("notes:read") }, handler);
  });
  expect((await send("tools/call", { name: "read", arguments: {} })).status).toBe(403);
  const { result } = await send("tools/call", { name: "work", arguments: { on: 1 } });
  expect(result).toMatchObject({ resultType: "complete", isError: true });
  expect(await database.query("SELECT FROM mcp_tasks")).toHaveLength(0);
});

test("without the client's word the handler runs in its request, or is refused before it begins", async () => {
  const ran = vi.fn<() => void>();
  const { send, database } = await tasksWith((server, { task }) => {
    server.registerTool(
      "may",
      none,
      task(() => says("done")),
    );
    server.registerTool(
      "must",
      none,
      task({ required: true }, () => {
        ran();
        return says("done");
      }),
    );
  });
  const by = { capabilities: { elicitation: {} } };
  const may = await send("tools/call", { name: "may", arguments: {} }, by);
  expect(may.result).toMatchObject({ resultType: "complete", ...says("done") });
  const must = await send("tools/call", { name: "must", arguments: {} }, by);
  expect(must).toMatchObject({ status: 400, error: MISSING });
  expect(ran).not.toHaveBeenCalled();
  expect(await database.query("SELECT FROM mcp_tasks")).toHaveLength(0);
  for (const method of ["tasks/get", "tasks/update", "tasks/cancel"])
    expect(await send(method, { taskId: "x", inputResponses: {} }, by)).toMatchObject({
      status: 400,
      error: MISSING,
    });
});

test("the extension is declared with MCP_TASKS only, and without it nothing is known of tasks", async () => {
  const register = (server: McpServer, { task }: { task: <T>(options: object, handler: T) => T }) => {
    server.registerTool(
      "must",
      none,
      task({ required: true }, () => says("done")),
    );
  };
  const on = await tasksWith(register);
  expect((await on.send("server/discover")).result.capabilities.extensions).toEqual({
    [TASKS_EXTENSION]: {},
  });
  const off = await tasksWith(register, { MCP_TASKS: "false" });
  expect((await off.send("server/discover")).result.capabilities).not.toHaveProperty("extensions");
  expect(await off.call("must")).toMatchObject(says("done"));
  for (const method of ["tasks/get", "tasks/update", "tasks/cancel"])
    expect((await off.send(method, { taskId: "x" })).error?.code).toBe(-32_601);
  for (const method of ["tasks/list", "tasks/result"])
    expect((await on.send(method, { taskId: "x" })).error?.code).toBe(-32_601);
});

test("unknown, foreign, expired, deleted and made-up tasks are one answer", async () => {
  const going = gate();
  const { call, send, settled, database } = await tasksWith((server, { task }) => {
    server.registerTool(
      "work",
      none,
      task(() => going.opened.then(() => says("done"))),
    );
  });
  const { taskId } = await call("work");
  const late = await call("work");
  await database.query("UPDATE mcp_tasks SET expires_at = now() WHERE task_hash = $1", [
    await keyOfTask(late.taskId),
  ]);
  const bob = { key: keys.bob };
  const unknown = {
    status: 200,
    jsonrpc: "2.0",
    id: 7,
    error: { code: -32_602, message: "There is no such task" },
  };
  for (const [method, more] of [
    ["tasks/get", {}],
    ["tasks/update", { inputResponses: { "1.name": { action: "accept", content: {} } } }],
    ["tasks/cancel", {}],
  ] as const) {
    expect(await send(method, { taskId, ...more }, bob)).toEqual(unknown);
    expect(await send(method, { taskId: late.taskId, ...more })).toEqual(unknown);
    for (const made of [
      "",
      "x",
      `${taskId}x`,
      taskId.slice(1),
      await keyOfTask(taskId),
      "\u0000",
      "💥",
      "'; --",
    ])
      expect([made, await send(method, { taskId: made, ...more })]).toEqual([made, unknown]);
    expect((await send(method, { taskId: 5, ...more })).error?.code).toBe(-32_602);
  }
  expect(await database.query("SELECT status FROM mcp_tasks ORDER BY expires_at")).toEqual([
    { status: "working" },
    { status: "working" },
  ]);
  going.open();
  expect((await settled(taskId)).status).toBe("completed");
});

test("who has too many tasks that are alive is refused; what has ended or expired gives way, the oldest first", async () => {
  const going = gate();
  const { call, send, get, settled } = await tasksWith(
    (server, { task }) => {
      server.registerTool(
        "wait",
        none,
        task(() => going.opened.then(() => says("done"))),
      );
      server.registerTool(
        "end",
        none,
        task(() => says("done")),
      );
    },
    { MCP_TASKS_PER_PRINCIPAL: "2" },
  );
  const first = await call("wait");
  const second = await call("wait");
  expect(await send("tools/call", { name: "end", arguments: {} })).toMatchObject({
    error: { code: -32_603, message: expect.stringContaining("too many tasks") },
  });
  expect((await call("end", {}, { key: keys.bob })).status).toBe("working");
  await send("tasks/cancel", { taskId: first.taskId });
  const third = await call("end");
  expect(third.status).toBe("working");
  going.open();
  expect((await settled(third.taskId)).status).toBe("completed");
  expect(await get(first.taskId)).toBeUndefined();
  expect((await get(second.taskId)).status).toBe("completed");
});

test("a cancelled task stays cancelled, and its handler is told", async () => {
  const stopped = gate();
  const { call, send, settled } = await tasksWith((server, { task, signal }) => {
    server.registerTool(
      "wait",
      none,
      task(async () => {
        signal.addEventListener("abort", stopped.open);
        await stopped.opened;
        return says("too late");
      }),
    );
  });
  const { taskId } = await call("wait");
  const { result } = await send("tasks/cancel", { taskId });
  const { _meta, ...answer } = result;
  expect(answer).toEqual({ resultType: "complete" });
  await stopped.opened;
  expect(await settled(taskId)).toMatchObject({ status: "cancelled" });
  // Once more, and of one that has ended in another way, too.
  expect((await send("tasks/cancel", { taskId })).result).toMatchObject({ resultType: "complete" });
});

test("what cannot be kept fails the task, and not the runner", async () => {
  const { call, settled } = await tasksWith((server, { task }) => {
    server.registerTool(
      "large",
      none,
      task(() => says("x".repeat(1024 * 1024))),
    );
    server.registerTool(
      "odd",
      none,
      task(() => says("a\u0000b\ud800c")),
    );
  });
  expect(await settled((await call("large")).taskId)).toMatchObject({
    status: "failed",
    error: { code: -32_603, message: "The result is too large to be kept" },
  });
  expect((await settled((await call("odd")).taskId)).result).toEqual(says("a\u0000b\ud800c"));
});

test("options that cannot be are refused when the tool is made", async () => {
  const problems: unknown[] = [];
  const { send } = await tasksWith((_, { task }) => {
    for (const options of [{ ttlSeconds: 59 }, { ttlSeconds: 1e9 }, { pollMs: 0.5 }, { attempts: 0 }])
      try {
        task(options, () => says("done"));
      } catch (error) {
        problems.push(error);
      }
  });
  await send("server/discover");
  expect(problems).toEqual([
    new RangeError("ttlSeconds of a task must be a whole number from 60 to 604800"),
    new RangeError("ttlSeconds of a task must be a whole number from 60 to 604800"),
    new RangeError("pollMs of a task must be a whole number from 1 to 3600000"),
    new RangeError("attempts of a task must be a whole number from 1 to 100"),
  ]);
});
