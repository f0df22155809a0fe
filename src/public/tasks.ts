// mcp-sessions/tasks: who runs tasks, where it is not the request.
export { taskEvents, type TaskEvents } from "../parts/task-events.ts";
export { taskWorkflow, type RunsTasks } from "../parts/task-workflow.ts";
export type { TaskMessage } from "../tasks/consumer.ts";
export type { RunOutcome } from "../tasks/runner.ts";
export type { WorkflowSteps } from "../tasks/workflow.ts";
