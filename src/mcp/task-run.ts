// Runs a task: takes its lease, serves the stored call to a server made for it, and keeps what it ends in.
import { isInputRequiredResult } from "@modelcontextprotocol/server";
import { DatabaseFault } from "../db/fault.ts";
import { errorName, logOf } from "../log.ts";
import { utf8Bytes } from "../session/json.ts";
import { isObject, messageTextsOf } from "../session/protocol.ts";
import { holdLease } from "../tasks/lease.ts";
import type { RunOutcome } from "../tasks/runner.ts";
import { type Ending, RESULT_BYTES, type TakenTask, type TaskStore } from "../tasks/store.ts";
import { nameOfQuestion, nameOfTask, questionKey, type TaskError } from "../tasks/task.ts";
import { authInfoOf } from "./caller.ts";
import { serveModern } from "./modern-call.ts";
import { asBefore } from "./reentry.ts";
import { contextOf, type ContextOptions, type Surroundings } from "./request-context.ts";
import { reopenRequestState } from "./request-state.ts";
import type { ServerFactory } from "./server-factory.ts";
import { callerOf, storedCall } from "./stored-call.ts";
import { taskCallsOfRun } from "./task-calls.ts";

const log = logOf("tasks", {
  info: {
    "Task run": {
      meaning:
        "A task was run to its end, or to a question. `outcome` is `completed`, `failed`, `input_required`, or `stopped` when it was cancelled, or lost, meanwhile.",
      fields: ["task", "outcome", "attempt", "duration_ms"],
    },
  },
  error: {
    "Task broken": {
      meaning:
        "The server could not be made for a task: its `options` or `register` has thrown. The task has failed.",
      fields: ["task", "error"],
    },
  },
});

export interface TaskRunOptions extends ContextOptions {
  createServer: ServerFactory;
  tasks: { store: TaskStore };
}

/** Takes a task's lease and runs it. @throws DatabaseFault: then the task is due again when the lease has run out. */
export type RunTask = (key: string, here: Pick<Surroundings, "waitUntil">) => Promise<RunOutcome>;

type Found =
  | Ending
  | { status: "input_required"; questions: Record<string, unknown>; requestState: string | undefined };

export function createTaskRun(options: TaskRunOptions): RunTask {
  const { store } = options.tasks;
  return async (key, { waitUntil }) => {
    const began = Date.now();
    const claim = crypto.randomUUID();
    const taken = await store.take(key, claim);
    if (taken.outcome !== "taken") return taken.outcome;
    const lease = holdLease(() => store.renew(key, claim));
    try {
      const found = await untilAborted(
        find(key, taken, { waitUntil, signal: lease.signal }, options),
        lease.signal,
      );
      const isKept = found !== undefined && (await keep(store, key, claim, found));
      log.info("Task run", {
        task: nameOfTask(key),
        outcome: isKept ? found.status : "stopped",
        attempt: taken.attempt,
        duration_ms: Date.now() - began,
      });
      return isKept ? "done" : "over";
    } finally {
      lease.release();
    }
  };
}

function keep(store: TaskStore, key: string, claim: string, found: Found): Promise<boolean> {
  return found.status === "input_required"
    ? store.ask(key, claim, found.questions, found.requestState)
    : store.finish(key, claim, found);
}

/** Undefined when it is no longer wanted: a handler may not look at its signal. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const stopped = new Promise<undefined>((resolve) =>
    signal.addEventListener("abort", () => resolve(undefined), { once: true }),
  );
  return Promise.race([work, stopped]);
}

const failed = (error: TaskError): Ending => ({ status: "failed", result: JSON.stringify(error) });
const broken = (message: string) => failed({ code: -32603, message });

async function find(
  key: string,
  taken: TakenTask,
  surroundings: Surroundings,
  options: TaskRunOptions,
): Promise<Found> {
  const { data: call } = storedCall.safeParse(taken.call);
  if (call === undefined) return broken("The call was kept by another version");
  const caller = callerOf(call);
  const taskCalls = taskCallsOfRun({ key, attempt: taken.attempt });
  const context = contextOf(options, { caller, session: undefined }, { ...surroundings, taskCalls });
  const { requestState } = options;
  const readState = requestState && ((text: string) => reopenRequestState(text, requestState, caller.name));
  let failure: { cause: unknown } | undefined;
  const create = () =>
    options.createServer(context, { prepare: taskCalls.prepare, readState }).catch((cause: unknown) => {
      failure = { cause };
      throw cause;
    });
  const response = await serveModern(
    { id: 1, method: "tools/call", params: paramsOf(call.params, taken), headers: call.headers },
    {
      create,
      url: call.url,
      signal: surroundings.signal,
      authInfo: authInfoOf(caller, call.url, options.tokens),
    },
  );
  const texts = await messageTextsOf(response);
  if (failure !== undefined) {
    if (failure.cause instanceof DatabaseFault) throw failure.cause;
    log.error("Task broken", { task: nameOfTask(key), error: errorName(failure.cause) });
    return broken("The server could not be made");
  }
  return foundIn(texts.at(-1), taken.version);
}

/** With all answers: those before there was a task, and those that the task has asked for. */
function paramsOf(
  params: Record<string, unknown>,
  { answers, requestState }: TakenTask,
): Record<string, unknown> {
  const later = answers.map(({ key, answer }) => [nameOfQuestion(key), answer] as const);
  return {
    ...params,
    inputResponses: { ...Object(params["inputResponses"]), ...Object.fromEntries(later) },
    ...(requestState !== null && { requestState }),
  };
}

function foundIn(text: string | undefined, leg: number): Found {
  const message: unknown = text === undefined ? undefined : JSON.parse(text);
  const { result, error }: { result?: unknown; error?: unknown } = Object(message);
  if (isInputRequiredResult(result)) return questionsIn(result, leg);
  if (isObject(result))
    return withinBounds({ status: "completed", result: JSON.stringify(asBefore(result)) });
  if (isObject(error)) return withinBounds({ status: "failed", result: JSON.stringify(error) });
  return broken("The call was refused");
}

function questionsIn(result: { inputRequests?: unknown; requestState?: unknown }, leg: number): Found {
  const { inputRequests, requestState } = result;
  const asked = Object.entries(isObject(inputRequests) ? inputRequests : {});
  if (asked.length === 0) return broken("A task that needs input must say which");
  return {
    status: "input_required",
    questions: Object.fromEntries(asked.map(([name, question]) => [questionKey(leg, name), question])),
    requestState: typeof requestState === "string" ? requestState : undefined,
  };
}

const withinBounds = (ending: Ending): Ending =>
  utf8Bytes(ending.result) > RESULT_BYTES ? broken("The result is too large to be kept") : ending;
