// A client of MCP 2026-07-28 that knows tasks, message by message: no SDK has them yet.
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import { setTimeout as sleep } from "node:timers/promises";
import { TASKS_EXTENSION } from "../../src/tasks/task.ts";

const MODERN = "2026-07-28";
const POLL_MS = 50;

/** What a client sees of a task. */
export interface SeenTask {
  taskId: string;
  status: string;
  result?: { content: { text: string }[]; isError?: boolean };
  error?: { code: number; message: string };
}

/** @param mcp the endpoint at the time of a request. */
export function taskClient(mcp: () => URL, key: string) {
  let sent = 0;

  async function ask<T>(method: string, params: Record<string, unknown>): Promise<T> {
    const name = params["taskId"] ?? params["name"];
    const response = await fetch(mcp(), {
      method: "POST",
      headers: {
        Authorization: `Bearer ${key}`,
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": method,
        "Mcp-Name": String(name),
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: ++sent,
        method,
        params: {
          ...params,
          _meta: {
            [PROTOCOL_VERSION_META_KEY]: MODERN,
            [CLIENT_INFO_META_KEY]: { name: "tasks", version: "1.0.0" },
            [CLIENT_CAPABILITIES_META_KEY]: { extensions: { [TASKS_EXTENSION]: {} } },
          },
        },
      }),
    });
    const body = await response.text();
    const text = /^data: (\{.*"id":.*)$/m.exec(body)?.[1] ?? body;
    const { result, error } = JSON.parse(text) as { result?: T; error?: { message: string } };
    if (result === undefined) throw new Error(`${method}: ${response.status} ${error?.message ?? text}`);
    return result;
  }

  const get = (taskId: string) => ask<SeenTask>("tasks/get", { taskId });
  return {
    get,
    /** The task that a call has become. */
    call: (name: string, args: Record<string, unknown>) =>
      ask<SeenTask>("tools/call", { name, arguments: args }),
    cancel: (taskId: string) => ask<object>("tasks/cancel", { taskId }),
    /** Asks until the task has ended. */
    async end(taskId: string): Promise<SeenTask> {
      for (;;) {
        const task = await get(taskId);
        if (task.status !== "working" && task.status !== "input_required") return task;
        await sleep(POLL_MS);
      }
    },
  };
}
