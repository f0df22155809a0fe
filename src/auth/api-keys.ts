// The grammar of API_KEYS: entries `name:scopes:key`, separated by commas or white space. Pure.

export const scopes = ["health", "metrics", "mcp", "admin"] as const;
export type Scope = (typeof scopes)[number];

/** One key of a principal. During a rotation a principal has several keys with one name. */
export interface ApiKey {
  name: string;
  scopes: readonly Scope[];
  /** The key itself, or its SHA-256 in lower-case hex, as the operator has configured it. */
  secret: { key: string } | { sha256: string };
}

/** The name of a key. */
export const KEY_NAME = /^[A-Za-z0-9._-]{1,64}$/;
// token68 of RFC 9110 §11.2, what an Authorization header can carry. 24 characters of base64url are 144 bits.
const KEY = /^(?=.{24,256}$)[A-Za-z0-9\-._~+/]+=*$/;
const DIGEST = /^sha256=([0-9a-fA-F]{64})$/;

/** The keys, and a problem for each malformed entry. A problem names an entry by its position, never its text. */
export function parseApiKeys(text: string): { keys: ApiKey[]; problems: string[] } {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== "");
  if (entries.length === 0) return { keys: [], problems: ["must have an entry name:scopes:key"] };
  const keys: ApiKey[] = [];
  const problems: string[] = [];
  for (const [i, entry] of entries.entries()) {
    const parsed = parseEntry(entry);
    if (typeof parsed === "string") problems.push(`entry ${i + 1}: ${parsed}`);
    else keys.push(parsed);
  }
  return { keys, problems };
}

function parseEntry(entry: string): ApiKey | string {
  const [name = "", scopeList = "", key = "", ...rest] = entry.split(":");
  if (rest.length > 0 || key === "") return "must be name:scopes:key";
  if (!KEY_NAME.test(name)) return "the name must be 1 to 64 letters, digits, dots, dashes or underscores";
  const named = scopeList.split("+");
  const known = scopes.filter((scope) => named.includes(scope));
  if (known.length !== named.length)
    return `the scopes must be of ${scopes.join(", ")}, each once, joined with +`;
  const digest = DIGEST.exec(key)?.[1];
  if (digest !== undefined) return { name, scopes: known, secret: { sha256: digest.toLowerCase() } };
  if (!KEY.test(key)) return "the key must be 24 to 256 token68 characters, or sha256= and 64 hex digits";
  return { name, scopes: known, secret: { key } };
}
