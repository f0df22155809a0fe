// tasks/get, tasks/update and tasks/cancel, as clients see them, and what they ask of the stores.
import { McpServer } from "@modelcontextprotocol/server";
import { describe, expect, test } from "vitest";
import type { TaskRequest } from "../../src/mcp/task-calls.ts";
import { serveTaskMethods, shownBase, undeclared } from "../../src/mcp/task-methods.ts";
import type { DueTasks } from "../../src/tasks/due-store.ts";
import type { Task, TaskStore } from "../../src/tasks/store.ts";
import { createTaskId, keyOfTask, TASKS_EXTENSION } from "../../src/tasks/task.ts";
import { served, taskRequestOf } from "./served.ts";

const id = createTaskId();
const key = await keyOfTask(id);
const UNKNOWN = { id: 7, error: { code: -32602, message: "There is no such task" } };
const DONE = { id: 7, result: { resultType: "complete" } };

const task: Task = {
  status: "working",
  result: null,
  inputRequests: {},
  statusMessage: null,
  createdAt: new Date("2026-11-25T05:00:00.123Z"),
  updatedAt: new Date("2026-11-25T05:00:07Z"),
  expiresAt: new Date("2026-11-25T05:10:00.123Z"),
  pollMs: 250,
  isDue: false,
};
const shown = {
  taskId: id,
  status: "working",
  createdAt: "2026-11-25T05:00:00.123Z",
  lastUpdatedAt: "2026-11-25T05:00:07.000Z",
  ttlMs: 600_000,
  pollIntervalMs: 250,
};

/** Asks for a task of alice's, of stores that answer what the test says. */
function asking(own: Partial<TaskStore>, more: Partial<TaskRequest> = {}) {
  const { request, ...rest } = taskRequestOf(own, more);
  const create = async () => {
    const server = new McpServer({ name: "test", version: "1" });
    serveTaskMethods(server, request);
    return server;
  };
  const send = (method: string, params: Record<string, unknown> = { taskId: id }, capabilities?: object) =>
    served(create, method, params, capabilities);
  return { ...rest, send };
}

describe("what is shown of a task", () => {
  test("is its id, its times, and what is said of it", () => {
    expect(shownBase(id, task)).toStrictEqual(shown);
    expect(shownBase(id, { ...task, statusMessage: "Cancelled by an operator" })).toStrictEqual({
      ...shown,
      statusMessage: "Cancelled by an operator",
    });
  });

  const rest = { result: { content: [] }, inputRequests: { "1.a": { method: "x" } } };

  test.each<[Partial<Task>, object]>([
    [{ status: "working" }, {}],
    [{ status: "working", ...rest }, {}],
    [{ status: "completed", ...rest }, { result: { content: [] } }],
    [{ status: "failed", ...rest }, { error: { content: [] } }],
    [{ status: "input_required", ...rest }, { inputRequests: rest.inputRequests }],
    [{ status: "cancelled", ...rest, statusMessage: "why" }, { statusMessage: "why" }],
  ])("of %j", async (own, more) => {
    const { send } = asking({ get: async () => ({ ...task, ...own }) });
    const { status } = { ...task, ...own };
    expect(await send("tasks/get")).toEqual({
      id: 7,
      result: { resultType: "complete", ...shown, status, ...more },
    });
  });
});

describe("tasks/get", () => {
  test("asks once for a task that somebody runs, and starts nothing", async () => {
    const asked: unknown[] = [];
    const { send, started } = asking({
      get: async (...which) => {
        asked.push(which);
        return task;
      },
    });
    await send("tasks/get");
    expect([asked, started]).toEqual([[[key, "alice"]], []]);
  });

  const dueOf = (found: Partial<DueTasks>, ...seen: (Task | undefined)[]) => {
    const asked: unknown[] = [];
    const made = asking(
      {
        get: async () => {
          asked.push("get");
          return seen.shift();
        },
      },
      {
        due: {
          due: async (which) => {
            asked.push(which);
            return { keys: [], lost: 0, nextDue: null, ...found };
          },
        },
      },
    );
    return { ...made, asked };
  };
  const isDue = { ...task, isDue: true };

  test("starts a task that nobody runs, and shows it as it was", async () => {
    const { send, started, here, asked } = dueOf({ keys: [key, "other"] }, isDue);
    expect(await send("tasks/get")).toMatchObject({ result: shown });
    expect(started).toEqual([
      [{ key }, here],
      [{ key: "other" }, here],
    ]);
    expect(asked).toEqual(["get", { limit: 1, key }]);
  });

  test("starts nothing when somebody else was faster", async () => {
    const { send, started, asked } = dueOf({}, isDue);
    expect(await send("tasks/get")).toMatchObject({ result: shown });
    expect([started, asked.length]).toEqual([[], 2]);
  });

  test("looks again at a task that was lost", async () => {
    const failed: Task = { ...task, status: "failed", result: { code: -32603, message: "lost" } };
    const { send, started, asked } = dueOf({ lost: 1 }, isDue, failed);
    expect(await send("tasks/get")).toMatchObject({
      result: { status: "failed", error: { code: -32603, message: "lost" } },
    });
    expect([started, asked]).toEqual([[], ["get", { limit: 1, key }, "get"]]);
    expect(await dueOf({ lost: 1 }, isDue, undefined).send("tasks/get")).toEqual(UNKNOWN);
  });
});

describe("tasks/update", () => {
  const accept = { action: "accept", content: {} };
  const inputResponses = { "1.a": accept, "2.b%20c": accept };
  const answering = (taken: Awaited<ReturnType<TaskStore["answer"]>>) => {
    const asked: unknown[] = [];
    const made = asking({
      answer: async (...said) => {
        asked.push(said);
        return taken;
      },
    });
    return { ...made, asked };
  };

  test("keeps the answers whose keys can be those of questions", async () => {
    const { send, asked } = answering("taken");
    const more = { ...inputResponses, name: accept, "": accept };
    expect(await send("tasks/update", { taskId: id, inputResponses: more })).toEqual(DONE);
    expect(asked).toEqual([[key, "alice", inputResponses]]);
  });

  test.each([
    ["starts the task when all is answered", "ready", 1],
    ["starts nothing before that", "taken", 0],
  ] as const)("%s", async (_, taken, times) => {
    const { send, started, here } = answering(taken);
    expect(await send("tasks/update", { taskId: id, inputResponses })).toEqual(DONE);
    expect(started).toEqual(Array.from({ length: times }, () => [{ key }, here]));
  });

  test("refuses answers that are too large, and a request without any", async () => {
    const { send, started, asked } = answering("too_large");
    expect(await send("tasks/update", { taskId: id, inputResponses })).toEqual({
      id: 7,
      error: { code: -32602, message: "The answers are too large" },
    });
    expect([started, asked.length]).toEqual([[], 1]);
    expect(await send("tasks/update", { taskId: id })).toEqual({
      id: 7,
      error: { code: -32602, message: "The member inputResponses is missing" },
    });
    expect(asked).toHaveLength(1);
  });

  test("knows no other task", async () => {
    const { send, started } = answering(undefined);
    expect(await send("tasks/update", { taskId: id, inputResponses })).toEqual(UNKNOWN);
    expect(started).toEqual([]);
  });
});

describe("tasks/cancel", () => {
  test.each([
    ["cancelled", DONE],
    ["ended", DONE],
    [undefined, UNKNOWN],
  ] as const)("%s is answered alike whatever it has been", async (outcome, answer) => {
    const asked: unknown[] = [];
    const { send } = asking({
      cancel: async (...which) => {
        asked.push(which);
        return outcome;
      },
    });
    expect(await send("tasks/cancel")).toEqual(answer);
    expect(asked).toEqual([[key, "alice"]]);
  });
});

describe.each(["tasks/get", "tasks/update", "tasks/cancel"])("%s", (method) => {
  const more = { inputResponses: {} };

  test("is for clients that declare tasks", async () => {
    const { send } = asking({});
    for (const capabilities of [{}, { extensions: {} }, { extensions: { other: {} } }, { tasks: {} }])
      expect(await send(method, { taskId: id, ...more }, capabilities)).toEqual({
        id: 7,
        error: {
          code: -32021,
          message: `This needs a client that declares the extension ${TASKS_EXTENSION}`,
          data: { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } },
        },
      });
  });

  test("asks for nothing that is no id of a task", async () => {
    const { send } = asking({});
    for (const taskId of ["", "x", `${id}x`, key])
      expect(await send(method, { taskId, ...more })).toEqual(UNKNOWN);
    expect(await send(method, { taskId: 5, ...more })).toMatchObject({ error: { code: -32602 } });
  });

  test("fails with the store, and the request is told why", async () => {
    const failure = new Error("down");
    const down = () => Promise.reject(failure);
    const { send, failures } = asking({ get: down, answer: down, cancel: down });
    expect(await send(method, { taskId: id, ...more })).toMatchObject({ error: { message: "down" } });
    expect(failures).toEqual([failure]);
  });
});

test("the extension is declared, and named in the refusal of a client that has not done so", () => {
  const server = new McpServer({ name: "test", version: "1" });
  serveTaskMethods(server, taskRequestOf({}).request);
  const extensions = { [TASKS_EXTENSION]: {} };
  expect(server.server.getCapabilities()).toEqual({ extensions });
  expect(undeclared().data).toEqual({ requiredCapabilities: { extensions } });
});
