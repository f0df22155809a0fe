// Makes tasks of calls, for tools whose authors allow it. Of one request each: what a tool's handler has decided replaces what the SDK
// would answer, because it knows no tasks, and makes results of errors.
import {
  type JSONRPCMessage,
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
} from "@modelcontextprotocol/server";
import { MAX_TASK_SECONDS, MIN_TASK_SECONDS, type TaskConfig } from "../tasks/settings.ts";
import type { DueStore } from "../tasks/due-store.ts";
import type { TaskHere, TaskRunner } from "../tasks/runner.ts";
import type { TaskStore } from "../tasks/store.ts";
import { createTaskId, keyOfTask } from "../tasks/task.ts";
import type { MayBeTask, TaskOptions, TaskRun } from "../tasks/may-be-task.ts";
import type { StoredCall } from "./stored-call.ts";
import { hasDeclaredTasks, serveTaskMethods, shownBase, undeclared } from "./task-methods.ts";
import { wrapHandlers } from "./wrapped-handlers.ts";

/** What tasks need of the Worker. */
export interface TaskParts {
  config: TaskConfig;
  store: TaskStore;
  due: DueStore;
  runner: TaskRunner;
}

/** A request of a client of 2026-07-28. */
export interface TaskRequest extends TaskParts {
  owner: string;
  /** As it is kept, if it is a call of a tool. */
  call: StoredCall | undefined;
  here: TaskHere;
  /** Hears of a database that has failed, so that the request is refused for it. */
  onFailure: (cause: unknown) => void;
}

export interface TaskCalls {
  task: MayBeTask;
  taskRun: TaskRun | undefined;
  /** Gets the server before anything is registered. */
  prepare?: (server: McpServer) => void;
}

/** How many times a task with `retry` may be begun. */
const DEFAULT_ATTEMPTS = 3;
const MAX_ATTEMPTS = 100;
const MAX_POLL_MS = 3_600_000;

type AnyHandler = (...input: unknown[]) => unknown;

// What no schema of a result is checked against.
const REPLACED = { content: [], isError: true };

/** Every call is run in its request. */
export const runHere: TaskCalls = { task: mayBeTask((_, handler) => handler), taskRun: undefined };

/** Calls of clients that know tasks become tasks, and the methods for them are served. */
export function taskCallsOf(request: TaskRequest): TaskCalls {
  const answer = replaceable();
  return {
    taskRun: undefined,
    task: mayBeTask((options, handler) => async (...input) => {
      if (!answer.isForTasks)
        return options.required === true ? answer.fail(undeclared()) : handler(...input);
      return answer.be(() => create(request, options));
    }),
    prepare(server) {
      answer.prepare(server);
      serveTaskMethods(server, request);
      sendTasksBare(server);
    },
  };
}

/** The call of a task is run. */
export function taskCallsOfRun(taskRun: TaskRun): TaskCalls {
  const answer = replaceable();
  return {
    taskRun,
    task: mayBeTask((_, handler) => async (...input) => {
      try {
        return await handler(...input);
      } catch (error) {
        // An error of the protocol is the end of a task. The SDK would make a result of it.
        if (error instanceof ProtocolError) return answer.fail(error);
        throw error;
      }
    }),
    prepare: answer.prepare,
  };
}

/** The SDK gives every answer to a call a `content`. A task has none. */
function sendTasksBare(server: McpServer): void {
  const connect = server.connect.bind(server);
  server.connect = (transport) => {
    const send = transport.send.bind(transport);
    transport.send = (message, options) => send(withoutContent(message), options);
    return connect(transport);
  };
}

function withoutContent(message: JSONRPCMessage): JSONRPCMessage {
  if (!("result" in message) || message.result["resultType"] !== "task") return message;
  const { content: _, ...result } = message.result;
  return { ...message, result };
}

/** The answer to the call of a tool, which its handler may replace once. */
function replaceable() {
  let replacement: { answer: object } | { error: unknown } | undefined;
  let isForTasks = false;
  return {
    /** Whether the client of the call knows tasks. */
    get isForTasks() {
      return isForTasks;
    },
    async be(make: () => Promise<object>) {
      if (replacement !== undefined) return REPLACED;
      try {
        replacement = { answer: await make() };
      } catch (error) {
        replacement = { error };
      }
      return REPLACED;
    },
    fail(error: Error) {
      replacement ??= { error };
      return REPLACED;
    },
    prepare: (server: McpServer) =>
      wrapHandlers(server, ["tools/call"], (handler) => async (request, context) => {
        isForTasks = hasDeclaredTasks(context);
        const result = await handler(request, context);
        if (replacement === undefined) return result;
        if ("error" in replacement) throw replacement.error;
        return replacement.answer;
      }),
  };
}

async function create(request: TaskRequest, options: TaskOptions): Promise<object> {
  const { config, store, runner, owner, call, here, onFailure } = request;
  if (call === undefined) throw new TypeError("Only the call of a tool can become a task");
  const id = createTaskId();
  const key = await keyOfTask(id);
  const { onLost = "fail", attempts = DEFAULT_ATTEMPTS } = options;
  const ttlSeconds = options.ttlSeconds ?? config.ttlSeconds;
  const pollMs = options.pollMs ?? config.pollMs;
  const task = { key, owner, tool: call.params.name, call: JSON.stringify(call), onLost, pollMs, ttlSeconds };
  const createdAt = await store
    .create({ ...task, maxAttempts: onLost === "retry" ? attempts : 1 })
    .catch((error: unknown) => {
      onFailure(error);
      throw error;
    });
  if (createdAt === undefined)
    throw new ProtocolError(
      ProtocolErrorCode.InternalError,
      "You have too many tasks that have not ended: wait for one, or cancel one",
    );
  await runner.start({ key }, here);
  const expiresAt = new Date(createdAt.getTime() + ttlSeconds * 1000);
  return {
    resultType: "task",
    ...shownBase(id, {
      status: "working",
      createdAt,
      updatedAt: createdAt,
      expiresAt,
      pollMs,
      statusMessage: null,
    }),
  };
}

function mayBeTask(wrap: (options: TaskOptions, handler: AnyHandler) => AnyHandler): MayBeTask {
  function make(first: TaskOptions | AnyHandler, second?: AnyHandler) {
    if (typeof first === "function") return wrap({}, first);
    if (second === undefined) throw new TypeError("A task needs a handler");
    return wrap(checked(first), second);
  }
  return make;
}

/** @throws RangeError in the words of the option. */
function checked(options: TaskOptions): TaskOptions {
  const { ttlSeconds, pollMs, attempts } = options;
  within("ttlSeconds", ttlSeconds, MIN_TASK_SECONDS, MAX_TASK_SECONDS);
  within("pollMs", pollMs, 1, MAX_POLL_MS);
  within("attempts", attempts, 1, MAX_ATTEMPTS);
  return options;
}

function within(name: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
  throw new RangeError(`${name} of a task must be a whole number from ${min} to ${max}`);
}
