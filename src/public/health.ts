// mcp-sessions/health: whether sessions can live in the database, and whether cleanup keeps up.
export { type Degradation, degradations } from "../health/grade.ts";
export { healthRoutes } from "../parts/health.ts";
export type { GuardOption } from "../parts/routes.ts";
