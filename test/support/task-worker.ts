// The Worker of the tests of runners.
import { WorkflowEntrypoint } from "cloudflare:workers";
import { taskWorkflow } from "../../src/public/tasks.ts";
import { createWorker } from "../../src/worker.ts";
import server from "./task-server.ts";

const worker = createWorker(server);
export default worker;

export class TaskRun extends taskWorkflow(WorkflowEntrypoint, worker) {}
