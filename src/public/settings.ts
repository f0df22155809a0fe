// mcp-sessions/settings: the variables and bindings of the Worker, parsed.
export { type Config, readConfig } from "../env.ts";
export { ConfigurationError } from "../settings.ts";
export type { UnknownVariable } from "../unknown-variables.ts";
