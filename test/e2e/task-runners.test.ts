// Who runs tasks is killed, at every step of a run. Every task ends, none of them twice, after as many attempts as it may have: in the
// request, with the Queue and with the Workflow of the local platform.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { experimental_readRawConfig as readRawConfig } from "wrangler";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fireAt } from "../../dev/crons.ts";
import type { FaultRule } from "../../dev/neon/switchboard.ts";
import { LOST_ERROR } from "../../src/tasks/task.ts";
import { type Gate, startGate } from "./gate.ts";
import { startSystem, type System, type TestWorker } from "./support.ts";
import { taskClient } from "./task-client.ts";

const bindings = {
  "in its request": {},
  "on a Queue": {
    queues: {
      producers: [{ queue: "tasks", binding: "TASK_QUEUE" }],
      consumers: [{ queue: "tasks", max_batch_size: 1, max_batch_timeout: 0, max_retries: 10 }],
    },
  },
  "in a Workflow": { workflows: [{ name: "tasks", binding: "TASK_WORKFLOW", class_name: "TaskRun" }] },
};

let system: System;
let gate: Gate;
const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-runners-"));
beforeAll(async () => {
  [system, gate] = await Promise.all([startSystem(), startGate()]);
});
afterAll(async () => {
  await Promise.all([system.stop(), gate.close()]);
  rmSync(folder, { recursive: true, force: true });
});

/** wrangler.toml with the bindings of a runner. Returns its path. */
function configWith(extra: object): string {
  const { rawConfig } = readRawConfig({ config: "wrangler.toml" });
  const path = join(mkdtempSync(join(folder, "config-")), "wrangler.json");
  const alias = Object.fromEntries(
    Object.entries(rawConfig.alias ?? {}).map(([name, file]) => [name, resolve(String(file))]),
  );
  writeFileSync(
    path,
    JSON.stringify({ ...rawConfig, ...extra, main: resolve("test/support/task-worker.ts"), alias }),
  );
  return path;
}

/** Resolves when the database has met each fault. */
async function met(...rules: FaultRule[]): Promise<void> {
  const { switchboard } = system.neon;
  while (!rules.every((_, i) => (switchboard.hits()[i] ?? 0) > 0)) await sleep(20);
}

const taking: FaultRule = { fault: { kind: "hang" }, matching: "mcp_take_task" };
const ending: FaultRule = { fault: { kind: "hang" }, matching: "mcp_finish_task" };
const endingUnheard: FaultRule = {
  fault: { kind: "lost-after-commit" },
  matching: "mcp_finish_task",
  times: 1,
};

describe.each(Object.entries(bindings))("a task that is run %s", (where, extra) => {
  let worker: TestWorker;
  let work = 0;
  let client: ReturnType<typeof taskClient>;
  beforeAll(async () => {
    client = taskClient(() => worker.mcp, system.keys.alice);
    worker = await system.startWorker(
      // A statement hangs for as long as the test wants.
      { MCP_TASKS: "true", MCP_SESSION_TIMEOUT_MS: "60000", TEST_GATE: gate.url },
      { config: configWith(extra) },
    );
  });
  const newName = () => `${where.replaceAll(" ", "-")}-${++work}`;

  async function kill(): Promise<void> {
    await worker.restart({ isKilled: true });
    system.neon.switchboard.clear();
  }

  /** All leases and deadlines for a beginning have run out. */
  const leasesPass = () =>
    system.ask("UPDATE mcp_tasks SET leased_until = clock_timestamp() WHERE leased_until IS NOT NULL");
  const cron = () =>
    fireAt(worker.url, { cron: "0 * * * *", scheduledTimeMs: Date.now() }, new AbortController().signal);
  const attempts = async () =>
    (
      await system.ask<{ attempt: number }>("SELECT attempt FROM mcp_tasks ORDER BY created_at DESC LIMIT 1")
    )[0]?.attempt;
  const ended = async () =>
    Object.fromEntries(
      (
        await system.ask<{ name: string; value: number }>(
          "SELECT name, sum(value)::integer AS value FROM mcp_session_totals WHERE name LIKE 'tasks_ended/%' GROUP BY name",
        )
      ).map(({ name, value }) => [name.slice("tasks_ended/".length), value]),
    );

  /** What has ended while `work` was done. */
  async function endings(doing: () => Promise<void>): Promise<Record<string, number>> {
    const before = await ended();
    await doing();
    const after = await ended();
    return Object.fromEntries(
      Object.entries(after)
        .map(([status, count]) => [status, count - (before[status] ?? 0)] as const)
        .filter(([, count]) => count > 0),
    );
  }

  test.each([
    { step: "before it has the lease", arrivesBefore: 0, attempts: 1 },
    { step: "under the lease", arrivesBefore: 1, attempts: 2 },
    { step: "after the work, before it is written", arrivesBefore: 1, attempts: 2 },
    { step: "after it was written", arrivesBefore: 1, attempts: 1 },
  ])("ends once when that is killed $step", async ({ step, arrivesBefore, attempts: expected }) => {
    const name = newName();
    const told = await endings(async () => {
      const { switchboard } = system.neon;
      if (step === "before it has the lease") switchboard.set(taking);
      const { taskId, status } = await client.call("work", { name });
      expect(status).toBe("working");
      if (step === "before it has the lease") await met(taking);
      else await gate.arrived(name);
      if (step === "after the work, before it is written") {
        switchboard.set(ending);
        gate.open(name);
        await met(ending);
      }
      if (step === "after it was written") {
        switchboard.set(endingUnheard, ending);
        gate.open(name);
        await met(endingUnheard, ending);
      }
      expect(gate.arrivals(name)).toBe(arrivesBefore);
      await kill();
      gate.open(name);
      await leasesPass();
      // Nobody asks for it: a cron event finds it. It is then started once, though the platform may bring it, too.
      await Promise.all([cron(), cron()]);
      const task = await client.end(taskId);
      expect(task).toMatchObject({
        status: "completed",
        result: { content: [{ text: expect.any(String) }] },
      });
      expect(task.result?.content[0]?.text).toBe(`${name}: done at attempt ${expected}`);
    });
    expect(told).toEqual({ completed: 1 });
    expect(await attempts()).toBe(expected);
    expect(gate.arrivals(name)).toBe(expected);
  });

  test("is taken up when its client asks for it", async () => {
    const name = newName();
    const { taskId } = await client.call("work", { name });
    await gate.arrived(name);
    await kill();
    await leasesPass();
    const asked = await Promise.all([client.get(taskId), client.get(taskId), client.get(taskId)]);
    expect(asked.map(({ status }) => status)).toEqual(["working", "working", "working"]);
    await gate.arrived(name, 2);
    gate.open(name);
    expect(await client.end(taskId)).toMatchObject({ status: "completed" });
    expect(gate.arrivals(name)).toBe(2);
  });

  test("fails after its last attempt, and one that must not be tried again after its first", async () => {
    const [twice, once] = [newName(), newName()];
    const told = await endings(async () => {
      const { taskId } = await client.call("work_twice", { name: twice });
      await gate.arrived(twice);
      await kill();
      await leasesPass();
      // An event that runs the task itself is killed with it.
      void cron().catch(() => undefined);
      await gate.arrived(twice, 2);
      const { taskId: other } = await client.call("work_once", { name: once });
      // A Queue of one consumer has no turn for it.
      if (where !== "on a Queue") await gate.arrived(once);
      await kill();
      await leasesPass();
      await cron();
      expect(await client.end(taskId)).toMatchObject({ status: "failed", error: LOST_ERROR });
      gate.open(once);
      const end = await client.end(other);
      expect(end).toMatchObject(where === "on a Queue" ? { status: "completed" } : { error: LOST_ERROR });
    });
    expect(told).toEqual(where === "on a Queue" ? { failed: 1, completed: 1 } : { failed: 2 });
    expect(gate.arrivals(twice)).toBe(2);
    expect(gate.arrivals(once)).toBe(1);
  });
});
