// The steps of a Workflow. test/e2e/task-runners.test.ts has the platform's own.
import { expect, test } from "vitest";
import type { RunOutcome } from "../../src/tasks/runner.ts";
import { LEASE_SECONDS } from "../../src/tasks/store.ts";
import { runInSteps, type WorkflowSteps } from "../../src/tasks/workflow.ts";

/** Steps that are run once each, and what was asked for. */
function recorded() {
  const asked: unknown[] = [];
  const steps: WorkflowSteps = {
    async do(name, _config, work) {
      const outcome = await work();
      asked.push({ do: name, outcome });
      return outcome;
    },
    sleep: async (name, duration) => void asked.push({ sleep: name, duration }),
  };
  return { asked, steps };
}

const payload = { task: "a" };

test.each(["done", "over"] as const)("a task that is %s needs one step", async (outcome) => {
  const { asked, steps } = recorded();
  const run: string[] = [];
  await runInSteps(payload, steps, async (key) => {
    run.push(key);
    return outcome;
  });
  expect(asked).toEqual([{ do: "run 1", outcome }]);
  expect(run).toEqual(["a"]);
});

test("a step is tried again for an hour and a half, ever more slowly, and may take half an hour", async () => {
  const configs: object[] = [];
  const steps: WorkflowSteps = {
    do: async (_name, config, work) => (configs.push(config), work()),
    sleep: async () => undefined,
  };
  await runInSteps(payload, steps, async () => "done");
  const retries = { limit: 9, delay: "10 seconds", backoff: "exponential" };
  expect(configs).toEqual([{ retries, timeout: "30 minutes" }]);
});

test("while somebody else has the lease it comes again when that could be dead, each time with a step of its own", async () => {
  const { asked, steps } = recorded();
  const outcomes: RunOutcome[] = ["busy", "busy", "done"];
  await runInSteps(payload, steps, async () => outcomes.shift() ?? "over");
  const duration = LEASE_SECONDS * 1000;
  expect(asked).toEqual([
    { do: "run 1", outcome: "busy" },
    { sleep: "wait 1", duration },
    { do: "run 2", outcome: "busy" },
    { sleep: "wait 2", duration },
    { do: "run 3", outcome: "done" },
  ]);
});

test("it does not wait for ever: a Workflow has a thousand steps", async () => {
  const { asked, steps } = recorded();
  await runInSteps(payload, steps, async () => "busy");
  expect(asked).toHaveLength(200);
});

test("what a step throws ends the Workflow, and a payload that names no task runs nothing", async () => {
  const { steps } = recorded();
  const failing = async () => Promise.reject(new RangeError("down"));
  await expect(runInSteps(payload, steps, failing)).rejects.toThrow("down");
  const run: string[] = [];
  await expect(
    runInSteps({ job: "a" }, steps, async (key) => {
      run.push(key);
      return "done";
    }),
  ).rejects.toThrow();
  expect(run).toEqual([]);
});
