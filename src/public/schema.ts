// mcp-sessions/schema: the tables, for queries of your own with Drizzle.
export * from "../db/schema.ts";
