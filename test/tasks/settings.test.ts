// The variables of tasks, and what is made of them.
import { expect, test } from "vitest";
import { ConfigurationError, readSettings } from "../../src/settings.ts";
import { MAX_TASK_SECONDS, MIN_TASK_SECONDS, taskSettings } from "../../src/tasks/settings.ts";

const read = (variables: object = {}) => readSettings(taskSettings, variables).tasks;
const bindings = { queue: undefined, workflow: undefined };
const usual = { ttlSeconds: 3600, pollMs: 1000, maxPerPrincipal: 1000, bindings };

test("without MCP_TASKS no call becomes a task, whatever else is set", () => {
  const queue = { send: async () => undefined };
  for (const variables of [{}, { MCP_TASKS: "false" }, { MCP_TASK_TTL_SECONDS: "60", TASK_QUEUE: queue }])
    expect(read(variables)).toBeUndefined();
});

test("with it a task is kept for an hour, looked at each second, and one of a thousand", () => {
  expect(read({ MCP_TASKS: "true" })).toEqual(usual);
});

test.each([
  ["MCP_TASK_TTL_SECONDS", "ttlSeconds", MIN_TASK_SECONDS, MAX_TASK_SECONDS],
  ["MCP_TASK_POLL_MS", "pollMs", 100, 3_600_000],
  ["MCP_TASKS_PER_PRINCIPAL", "maxPerPrincipal", 1, 100_000],
])("%s is the %s, from %d to %d", (variable, name, min, max) => {
  const having = (value: number) => () => read({ MCP_TASKS: "true", [variable]: String(value) });
  for (const value of [min, max]) expect(having(value)()).toEqual({ ...usual, [name]: value });
  const problems = { [variable]: `must be a whole number from ${min} to ${max}` };
  for (const value of [min - 1, max + 1]) expect(having(value)).toThrow(new ConfigurationError(problems));
});

test("a task lives from a minute to a week", () => {
  expect([MIN_TASK_SECONDS, MAX_TASK_SECONDS]).toEqual([60, 7 * 24 * 3600]);
});

test("a Queue and a Workflow are kept as they are bound, and nothing else is one", () => {
  const queue = { send: async () => undefined };
  const workflow = { create: async () => undefined };
  const bound = { MCP_TASKS: "true", TASK_QUEUE: queue, TASK_WORKFLOW: workflow };
  expect(read(bound)).toEqual({ ...usual, bindings: { queue, workflow } });
  const problems = { TASK_QUEUE: "must be a Queue", TASK_WORKFLOW: "must be a Workflow" };
  expect(() => read({ ...bound, TASK_QUEUE: workflow, TASK_WORKFLOW: queue })).toThrow(
    new ConfigurationError(problems),
  );
});
