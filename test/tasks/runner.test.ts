// Who is asked to run a task, by the bindings.
import { expect, test } from "vitest";
import { createRunner, type RunOutcome } from "../../src/tasks/runner.ts";
import type { StartedTask } from "../../src/tasks/settings.ts";
import { logged } from "../support/captured-logs.ts";

/** The event that tasks are started from, and what went on in it. */
function event(run: (key: string) => Promise<RunOutcome> = async () => "done") {
  const ran: string[] = [];
  const promises: Promise<unknown>[] = [];
  const here = {
    waitUntil: (promise: Promise<unknown>) => void promises.push(promise),
    run: async (key: string) => {
      ran.push(key);
      return run(key);
    },
  };
  return { here, ran, ended: () => Promise.all(promises) };
}

/** The bindings, and what they were given. */
function bindings() {
  const sent: unknown[] = [];
  return {
    sent,
    queue: { send: async (message: StartedTask) => void sent.push({ queue: message }) },
    workflow: { create: async (options: object) => void sent.push({ workflow: options }) },
  };
}

test("without a binding the event runs it, and does not wait for it", async () => {
  let end: () => void = () => {};
  const { here, ran, ended } = event(() => new Promise((resolve) => (end = () => resolve("done"))));
  await createRunner({ queue: undefined, workflow: undefined }).start({ key: "a" }, here);
  expect(ran).toEqual(["a"]);
  end();
  await ended();
});

test("a Queue gets a message, a Workflow an instance, and of both the Workflow; the event runs nothing", async () => {
  const { queue, workflow, sent } = bindings();
  const { here, ran } = event();
  await createRunner({ queue, workflow: undefined }).start({ key: "a" }, here);
  await createRunner({ queue: undefined, workflow }).start({ key: "b" }, here);
  await createRunner({ queue, workflow }).start({ key: "c" }, here);
  expect(sent).toEqual([
    { queue: { task: "a" } },
    { workflow: { params: { task: "b" } } },
    { workflow: { params: { task: "c" } } },
  ]);
  expect(ran).toEqual([]);
});

test("what cannot be started is said and thrown nowhere: the task is due again soon", async () => {
  const failing = () => Promise.reject(new RangeError("Queue sends are disabled for acme"));
  const { here, ended } = event(failing);
  await createRunner({ queue: undefined, workflow: undefined }).start({ key: "a".repeat(64) }, here);
  await ended();
  await createRunner({ queue: { send: failing }, workflow: undefined }).start({ key: "b".repeat(64) }, here);
  await createRunner({ queue: undefined, workflow: { create: failing } }).start(
    { key: "c".repeat(64) },
    here,
  );
  expect(logged("Task not started")).toEqual(
    ["a", "b", "c"].map((letter) =>
      expect.objectContaining({ level: "WARN", task: letter.repeat(8), error: "RangeError" }),
    ),
  );
});
