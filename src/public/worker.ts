// mcp-sessions: the whole Worker, and what its author writes.
export * from "../mcp/context.ts";
export { nameOfSession, type Session } from "../session/session.ts";
export { createWorker } from "../worker.ts";
