// mcp-sessions/rpc: the door for other Workers of the account.
export { type SessionsEntrypoint, sessionsEntrypoint } from "../parts/entrypoint.ts";
export type { Answer, Refusal } from "../rpc/answer.ts";
export type { Input, SessionView, Values, Verb } from "../rpc/verbs.ts";
