// The grammar of OAUTH_SCOPES: entries `theirs=ours`, separated by commas or white space. Pure.
import { type Scope, scopes } from "./api-keys.ts";

/** Of a token's scope, role or permission: which scopes of ours it gives. */
export type ScopeMap = ReadonlyMap<string, readonly Scope[]>;

export const isScope = (word: string): word is Scope => scopes.some((scope) => scope === word);

export const SCOPE_LIST = `of ${scopes.join(", ")}, joined with +`;

/** The map, and a problem for each malformed entry, which names the entry by its position. */
export function parseScopeMap(value: string): { map: ScopeMap; problems: string[] } {
  const map = new Map<string, readonly Scope[]>();
  const problems: string[] = [];
  const entries = value.split(/[\s,]+/).filter((entry) => entry !== "");
  if (entries.length === 0) problems.push("must have an entry theirs=ours");
  for (const [i, entry] of entries.entries()) {
    // What an issuer calls a scope may have a = of its own. Our names have none.
    const at = entry.lastIndexOf("=");
    const theirs = entry.slice(0, Math.max(at, 0));
    const ours = entry.slice(at + 1).split("+");
    if (theirs === "") problems.push(`entry ${i + 1}: must be theirs=ours`);
    else if (!ours.every(isScope)) problems.push(`entry ${i + 1}: ours must be ${SCOPE_LIST}`);
    else map.set(theirs, [...(map.get(theirs) ?? []), ...ours]);
  }
  return { map, problems };
}

/** Our scopes that these give, in our order. @param map undefined: they have our names. */
export function ourScopes(theirs: readonly string[], map: ScopeMap | undefined): Scope[] {
  const given = new Set(
    theirs.flatMap((scope): readonly string[] => (map ? (map.get(scope) ?? []) : [scope])),
  );
  return scopes.filter((scope) => given.has(scope));
}

/** What issuers call a scope of ours: every name that gives it. */
export function theirScopes(ours: Scope, map: ScopeMap | undefined): string[] {
  return map === undefined
    ? [ours]
    : [...map].filter(([, given]) => given.includes(ours)).map(([name]) => name);
}
