// tasks/get, tasks/update and tasks/cancel (SEP-2663), for one request. Each is one statement, on whichever isolate it comes to.
import {
  CLIENT_CAPABILITIES_META_KEY,
  type McpServer,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import type { Task } from "../tasks/store.ts";
import { isQuestionKey, isTaskId, keyOfTask, TASKS_EXTENSION } from "../tasks/task.ts";
import type { TaskRequest } from "./task-calls.ts";

const EXTENSIONS = { extensions: { [TASKS_EXTENSION]: {} } };
const params = z.looseObject({ taskId: z.string() });

/** Whether the client of this request has said that it knows tasks. */
export function hasDeclaredTasks({ mcpReq }: ServerContext): boolean {
  const envelope: Record<string, unknown> = { ...mcpReq.envelope };
  const { extensions }: { extensions?: unknown } = Object(envelope[CLIENT_CAPABILITIES_META_KEY]);
  return Object.hasOwn(Object(extensions), TASKS_EXTENSION);
}

/** The refusal of a client that has not. */
export const undeclared = () =>
  new MissingRequiredClientCapabilityError(
    { requiredCapabilities: EXTENSIONS },
    `This needs a client that declares the extension ${TASKS_EXTENSION}`,
  );

type TaskBase = Omit<Task, "result" | "inputRequests" | "isDue">;

/** What each answer says of a task. */
export const shownBase = (taskId: string, task: TaskBase) => ({
  taskId,
  status: task.status,
  ...(task.statusMessage !== null && { statusMessage: task.statusMessage }),
  createdAt: task.createdAt.toISOString(),
  lastUpdatedAt: task.updatedAt.toISOString(),
  ttlMs: task.expiresAt.getTime() - task.createdAt.getTime(),
  pollIntervalMs: task.pollMs,
});

function shown(taskId: string, task: Task): object {
  return {
    ...shownBase(taskId, task),
    ...(task.status === "completed" && { result: task.result }),
    ...(task.status === "failed" && { error: task.result }),
    ...(task.status === "input_required" && { inputRequests: task.inputRequests }),
  };
}

/** To be used before anything is registered. */
export function serveTaskMethods({ server }: McpServer, request: TaskRequest): void {
  const { store, due, runner, owner, here, onFailure } = request;
  const on = (
    method: string,
    serve: (key: string, taskId: string, context: ServerContext) => Promise<object | undefined>,
  ) =>
    server.setRequestHandler(method, { params }, async ({ taskId }, context) => {
      if (!hasDeclaredTasks(context)) throw undeclared();
      const answer = isTaskId(taskId)
        ? await serve(await keyOfTask(taskId), taskId, context).catch((error: unknown) => {
            onFailure(error);
            throw error;
          })
        : undefined;
      if (answer === undefined)
        throw new ProtocolError(ProtocolErrorCode.InvalidParams, "There is no such task");
      return { ...answer };
    });

  server.registerCapabilities(EXTENSIONS);
  on("tasks/get", async (key, taskId) => {
    const task = await store.get(key, owner);
    if (task?.isDue !== true) return task && shown(taskId, task);
    const { keys, lost } = await due.due({ limit: 1, key });
    for (const found of keys) await runner.start({ key: found }, here);
    const now = lost === 0 ? task : await store.get(key, owner);
    return now && shown(taskId, now);
  });
  on("tasks/update", async (key, _, { mcpReq: { inputResponses } }) => {
    if (inputResponses === undefined)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, "The member inputResponses is missing");
    const answers = Object.entries(inputResponses).filter(([question]) => isQuestionKey(question));
    const taken = await store.answer(key, owner, Object.fromEntries(answers));
    if (taken === "too_large")
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, "The answers are too large");
    if (taken === "ready") await runner.start({ key }, here);
    return taken && {};
  });
  on("tasks/cancel", async (key) => (await store.cancel(key, owner)) && {});
}
