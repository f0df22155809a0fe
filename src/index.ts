// What Cloudflare runs: the doors, HTTP, cron, other Workers and tasks, for the author's server. It uses what other programs use of
// this one.
import { WorkerEntrypoint, WorkflowEntrypoint } from "cloudflare:workers";
import { sessionsEntrypoint } from "./public/rpc.ts";
import { taskWorkflow } from "./public/tasks.ts";
import { createWorker } from "./public/worker.ts";
import server from "./server/index.ts";

const worker = createWorker(server);
export default worker;

/** For a service binding with `entrypoint = "Sessions"`: docs/library.md. */
export class Sessions extends sessionsEntrypoint(WorkerEntrypoint, worker) {}

/** For a Workflow with `class_name = "TaskRun"`: docs/task-runners.md. */
export class TaskRun extends taskWorkflow(WorkflowEntrypoint, worker) {}
