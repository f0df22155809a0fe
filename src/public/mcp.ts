// mcp-sessions/mcp: the MCP endpoint for a server definition, in an app of your own.
export * from "../mcp/context.ts";
export { mcpRoutes, type McpRoutesOptions } from "../parts/mcp.ts";
export { nameOfSession, type Session } from "../session/session.ts";
export type { MayBeTask, TaskOptions, TaskRun } from "../tasks/may-be-task.ts";
