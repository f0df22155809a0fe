// What becomes of the messages of a Queue.
import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { expect, test } from "vitest";
import { consume } from "../../src/tasks/consumer.ts";
import type { RunOutcome } from "../../src/tasks/runner.ts";
import { LEASE_SECONDS } from "../../src/tasks/store.ts";
import { logged } from "../support/captured-logs.ts";

/** Consumes messages with these bodies; their ids are their places. */
async function consumed(bodies: unknown[], run: (key: string) => Promise<RunOutcome>) {
  const messages = bodies.map((body, i) => ({ id: String(i), timestamp: new Date(), attempts: 1, body }));
  const batch = createMessageBatch("tasks", messages);
  // The platform's own messages, which do not say afterwards how long they wait.
  const delays: (number | undefined)[] = [];
  const watched = batch.messages.map((message) => ({
    body: message.body,
    ack: () => message.ack(),
    retry(options?: { delaySeconds?: number }) {
      delays.push(options?.delaySeconds);
      message.retry(options);
    },
  }));
  await consume(watched, run);
  const { explicitAcks, retryMessages } = await getQueueResult(batch, createExecutionContext());
  return { acked: explicitAcks.toSorted(), retried: retryMessages.map(({ msgId }) => msgId), delays };
}

test("what was run, or is over, does not come again; what somebody else runs comes again when that lease could be dead", async () => {
  const outcomes: Record<string, RunOutcome> = { a: "done", b: "busy", c: "over" };
  const run: string[] = [];
  const result = await consumed([{ task: "a" }, { task: "b" }, { task: "c" }], async (key) => {
    run.push(key);
    return outcomes[key] ?? "over";
  });
  expect(run.toSorted()).toEqual(["a", "b", "c"]);
  expect(result).toEqual({ acked: ["0", "2"], retried: ["1"], delays: [LEASE_SECONDS] });
});

test("a task that could not be run comes again, and takes no other one with it", async () => {
  const key = "0123456789abcdef".repeat(4);
  const result = await consumed([{ task: key }, { task: "other" }], async (asked) => {
    if (asked === key) throw new TypeError("with a secret in it");
    return "done";
  });
  expect(result).toEqual({ acked: ["1"], retried: ["0"], delays: [10] });
  expect(logged("Task not run")).toEqual([
    expect.objectContaining({ level: "WARN", task: "01234567", error: "TypeError" }),
  ]);
});

test("a message that names no task is dropped, and said", async () => {
  const run: string[] = [];
  const result = await consumed([null, "a", { task: 1 }, { job: "a" }], async (key) => {
    run.push(key);
    return "done";
  });
  expect(run).toEqual([]);
  expect(result).toEqual({ acked: ["0", "1", "2", "3"], retried: [], delays: [] });
  expect(logged("Unknown message")).toHaveLength(4);
});
