// mcp-sessions/admin: the routes of operators.
export { adminRoutes } from "../parts/admin.ts";
export type { GuardOption } from "../parts/routes.ts";
