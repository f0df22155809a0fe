// An app of one's own whose tool takes minutes: its call becomes a task, which a Queue or a Workflow runs.
import { WorkflowEntrypoint } from "cloudflare:workers";
import { Hono } from "hono";
import { principalOf, requireScope } from "mcp-sessions/auth";
import { scheduledCleanup } from "mcp-sessions/cron";
import { defineServer, mcpRoutes } from "mcp-sessions/mcp";
import { taskEvents, taskWorkflow } from "mcp-sessions/tasks";
import * as z from "zod";

const server = defineServer({
  name: "reports",
  version: "1.0.0",
  register(mcp, { task, taskRun }) {
    mcp.registerTool(
      "write_report",
      { description: "Writes a report", inputSchema: z.object({ about: z.string() }) },
      // Writing it twice does no harm, so another attempt may follow one that was lost.
      task({ onLost: "retry" }, async ({ about }) => ({
        content: [{ type: "text", text: `${about}: nothing to report, at attempt ${taskRun?.attempt ?? 1}` }],
      })),
    );
  },
});

const app = new Hono();
app.route("/mcp", mcpRoutes(server, { principal: principalOf, guard: requireScope("mcp") }));

const tasks = taskEvents(server);

export default { fetch: app.fetch, scheduled: scheduledCleanup(tasks), queue: tasks.queue };

/** The class of the Workflow. */
export class TaskRun extends taskWorkflow(WorkflowEntrypoint, tasks) {}
