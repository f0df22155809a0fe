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

/** The name that a client asks its authorization server for, to get a scope of ours; undefined when no name gives it. */
function scopeToAskFor(scope: Scope, map: ScopeMap | undefined): string | undefined {
  // The one that gives the least else.
  const [name] = theirScopes(scope, map).toSorted(
    (a, b) => (map?.get(a)?.length ?? 0) - (map?.get(b)?.length ?? 0),
  );
  return name;
}

/** What a client asks for to use `/mcp`. Roles and permissions are given, not asked for: then nothing. */
export function scopesToAskFor(scope: Scope, { scopeMap, scopeClaim }: TokenConfig): string[] {
  if (scopeClaim !== undefined && scopeClaim !== "scope" && scopeClaim !== "scp") return [];
  return [scopeToAskFor(scope, scopeMap)].filter((name) => name !== undefined);
}

export interface Challenge {
  /** Left out when nothing was presented: a challenge has no error then (RFC 6750 §3). */
  error?: "invalid_token" | "insufficient_scope";
  /** In ASCII, without quotes and backslashes. */
  description?: string;
  /** Everything that the request needs, at once. */
  scopes?: readonly string[];
}

/** The Bearer challenge. @param url of the request; left out without OAuth, which has no metadata. */
export function bearerChallenge({ error, description, scopes = [] }: Challenge, url?: string): string {
  const parameters = [
    REALM,
    ...(url === undefined
      ? []
      : [`resource_metadata="${new URL(`${METADATA_PATH}${RESOURCE_PATH}`, url).href}"`]),
    ...(error === undefined ? [] : [`error="${error}"`]),
    ...(description === undefined ? [] : [`error_description="${description}"`]),
    ...(scopes.length === 0 ? [] : [`scope="${scopes.join(" ")}"`]),
  ];
  return `Bearer ${parameters.join(", ")}`;
}

/** Bearer first: MCP clients read the first challenge. Monitors that know Basic alone wait for the second. */
export const withBasic = (bearer: string) => `${bearer}, ${BASIC}`;
