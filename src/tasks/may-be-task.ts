// The contract of tasks with authors: how the handler of a tool says that its call may become one. Pure.
import type { OnLost } from "./task.ts";

export interface TaskOptions {
  /**
   * Whether the tool is never run for a client of 2026-07-28 that cannot take a task. Left out: it is then run like any other, and the
   * client waits.
   */
  required?: boolean | undefined;
  /** How long the task and its result are kept, in whole seconds. Left out: MCP_TASK_TTL_SECONDS. */
  ttlSeconds?: number | undefined;
  /** How long a client is asked to wait before it looks again, in milliseconds. Left out: MCP_TASK_POLL_MS. */
  pollMs?: number | undefined;
  /**
   * What becomes of the task when the Worker that runs it is lost: `fail`, or `retry` for a tool that does no harm when it is begun
   * again. Left out: `fail`.
   */
  onLost?: OnLost | undefined;
  /** With `retry`: how many times it may be begun. Answers of the client begin the count again. Left out: 3. */
  attempts?: number | undefined;
}

/**
 * Makes a handler of a tool whose call may become a task: its client gets an answer at once, and asks for the result later. For a
 * client that knows no tasks the handler runs in its request. It is a handler itself, so another one may call it, for example
 * after it has asked its client something.
 */
export interface MayBeTask {
  <Handler extends ToolHandler>(handler: Handler): Handler;
  <Handler extends ToolHandler>(options: TaskOptions, handler: Handler): Handler;
}

type ToolHandler = (...input: never[]) => unknown;

/** A task that is being run. */
export interface TaskRun {
  /** The same in each attempt. It tells tasks apart, but opens none: good for what must happen once. */
  key: string;
  /** How many times it was begun, since the client's last answers: 1 the first time. */
  attempt: number;
}
