// The challenge of a refusal: what a client must send, and where it gets that (RFC 6750 §3, RFC 9728 §5.1). Pure.
import type { Scope } from "./api-keys.ts";
import { type ScopeMap, theirScopes } from "./scope-map.ts";
import type { TokenConfig } from "./token-settings.ts";

const REALM = 'realm="mcp-sessions"';
const BASIC = `Basic ${REALM}, charset="UTF-8"`;

/** Where the metadata of a resource stands: RFC 9728 §3.1 puts this before the path of the resource. */
export const METADATA_PATH = "/.well-known/oauth-protected-resource";
export const RESOURCE_PATH = "/mcp";

/** What tokens are for: one resource, whatever the route. */
export const resourceOf = (url: string) => new URL(RESOURCE_PATH, url).href;

/** Where a client of this address reads what authorization servers there are. Clients refuse a relative one. */
export const metadataUrlOf = (url: string) => new URL(`${METADATA_PATH}${RESOURCE_PATH}`, url).href;

// RFC 6749 §3.3. A role can have any name; what is no scope cannot be asked for.
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** Whether a text can stand in a challenge as a scope. */
export const isScopeToken = (text: string) => SCOPE_TOKEN.test(text);

/** The name that a client asks its authorization server for, to get a scope of ours; undefined when no name gives it. */
function scopeToAskFor(scope: Scope, map: ScopeMap | undefined): string | undefined {
  // The one that gives the least else.
  const [name] = theirScopes(scope, map)
    .filter(isScopeToken)
    .toSorted((a, b) => (map?.get(a)?.length ?? 0) - (map?.get(b)?.length ?? 0));
  return name;
}

/** What a client asks for to get a scope of ours. Roles and permissions are given, not asked for: then nothing. */
export function scopesToAskFor(scope: Scope, { scopeMap, scopeClaim }: TokenConfig): string[] {
  if (scopeClaim !== undefined && scopeClaim !== "scope" && scopeClaim !== "scp") return [];
  return [scopeToAskFor(scope, scopeMap)].filter((name) => name !== undefined);
}

export interface Challenge {
  /** Left out when nothing was presented: a challenge has no error then (RFC 6750 §3). */
  error?: "invalid_token" | "insufficient_scope";
  /** In ASCII, without quotes and backslashes. Clients of keys get none. */
  description?: string | undefined;
  /** Everything that the request needs, at once. */
  scopes?: readonly string[];
}

/** The challenge of a Worker that takes keys alone. */
export function keyChallenge({ error, scopes = [] }: Challenge): string {
  return bearer([REALM, ...parametersOf({ error, scope: scopes.join(" ") })]);
}

/** The challenge of a Worker that takes tokens. @param url of the request. */
export function tokenChallenge({ error, description, scopes = [] }: Challenge, url: string): string {
  const scope = scopes.join(" ");
  return bearer(
    parametersOf({ resource_metadata: metadataUrlOf(url), scope, error, error_description: description }),
  );
}

const bearer = (parameters: readonly string[]) => `Bearer ${parameters.join(", ")}`;

const parametersOf = (values: Record<string, string | undefined>) =>
  Object.entries(values).flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [`${name}="${value}"`],
  );

/** Bearer first: MCP clients read the first challenge. Monitors that know Basic alone wait for the second. */
export const withBasic = (challenge: string) => `${challenge}, ${BASIC}`;
