// mcp-sessions/auth: the keys of API_KEYS, for an app that has no authentication of its own.
export { type Scope, scopes } from "../auth/api-keys.ts";
export { type Principal, principalOf, type PrincipalVariables } from "../auth/principal.ts";
export { requireKey } from "../parts/keys.ts";
