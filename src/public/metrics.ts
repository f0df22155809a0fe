// mcp-sessions/metrics: the census in Prometheus's format.
export { metricsRoutes } from "../parts/metrics.ts";
export type { GuardOption } from "../parts/routes.ts";
