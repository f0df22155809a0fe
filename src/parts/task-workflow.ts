// The class of a Cloudflare Workflow that runs tasks.
import type { RunOutcome } from "../tasks/runner.ts";
import { runInSteps, type WorkflowSteps } from "../tasks/workflow.ts";

interface Base {
  ctx: { waitUntil: (promise: Promise<unknown>) => void };
  env: unknown;
}

/** What runs a task: `createWorker` and `taskEvents` make one. */
export interface RunsTasks {
  runTask: (key: string, env: object, context: Base["ctx"]) => Promise<RunOutcome>;
}

/**
 * `export class TaskRun extends taskWorkflow(WorkflowEntrypoint, worker) {}`, with the class of `cloudflare:workers`. The Workflow in
 * wrangler.toml needs `binding = "TASK_WORKFLOW"` and `class_name = "TaskRun"`.
 */
export function taskWorkflow(
  WorkflowEntrypoint: abstract new (...args: never[]) => object,
  worker: RunsTasks,
): new (
  ctx: never,
  env: never,
) => { run: (event: { payload: unknown }, steps: WorkflowSteps) => Promise<void> } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a mixin takes any arguments
  const Parent = WorkflowEntrypoint as unknown as new (...args: unknown[]) => Base;
  return class extends Parent {
    async run({ payload }: { payload: unknown }, steps: WorkflowSteps): Promise<void> {
      await runInSteps(payload, steps, (key) => worker.runTask(key, Object(this.env), this.ctx));
    }
  };
}
