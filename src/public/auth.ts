// mcp-sessions/auth: keys and tokens, for an app that has no authentication of its own; and what a sign-in by key is made of.
export { type ApiKey, parseApiKeys, type Scope, scopes } from "../auth/api-keys.ts";
export { type Authenticate, createAuthenticate } from "../auth/keys.ts";
export {
  callerOf,
  type Principal,
  principalOf,
  type PrincipalVariables,
  type TokenIdentity,
} from "../auth/principal.ts";
export type { AuthorizationServer } from "../auth/token-settings.ts";
export { requireKey } from "../parts/keys.ts";
export { metadataRoutes } from "../parts/metadata.ts";
export { requireScope } from "../parts/scopes.ts";
