// Cleanup, health and metrics of a table that another server keeps: server.py beside this. No request of a client comes here.
import { Hono } from "hono";
import { scheduledCleanup } from "mcp-sessions/cron";
import { healthRoutes } from "mcp-sessions/health";
import { metricsRoutes } from "mcp-sessions/metrics";

const app = new Hono();
app.route("/session-health", healthRoutes());
app.route("/metrics", metricsRoutes());

export default { fetch: app.fetch, scheduled: scheduledCleanup() };
