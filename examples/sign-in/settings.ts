// What the sign-in is told: its variables, secrets and bindings.
import { type ApiKey, parseApiKeys } from "mcp-sessions/auth";

export interface Env {
  /** Grants, codes and tokens, as hashes; clients that have registered themselves; pages that wait for an answer. */
  OAUTH_KV: KVNamespace;
  /** The same secret as that of the Worker whose tools are used. */
  API_KEYS: string;
  /** Where this Worker is: its issuer. */
  SIGN_IN_URL: string;
  /** The URL of /mcp. Several, separated by commas or spaces: the first is meant when a client names none. */
  MCP_URL: string;
  /** How often one address may try a key. Without it each isolate counts by itself. */
  ATTEMPT_RATE_LIMIT?: RateLimit;
  /** How often one address may cause something to be stored. */
  REQUEST_RATE_LIMIT?: RateLimit;
}

export interface Settings {
  issuer: string;
  resources: readonly [string, ...string[]];
  keys: readonly ApiKey[];
}

/** Names the variables that are wrong, and no value. */
export class SettingsError extends Error {
  override name = "SettingsError";
}

/** @throws SettingsError */
export function readSettings(env: Partial<Env>): Settings {
  const problems: string[] = [];
  const issuer = readUrl(env.SIGN_IN_URL ?? "");
  if (issuer === undefined || new URL(issuer).pathname !== "/")
    problems.push("SIGN_IN_URL must be the https address of this Worker, without a path");
  const given = (env.MCP_URL ?? "").split(/[\s,]+/).filter((url) => url !== "");
  const [first, ...more] = given.flatMap((url) => readUrl(url) ?? []);
  if (first === undefined || more.length + 1 !== given.length)
    problems.push("MCP_URL must be the https address of /mcp");
  const { keys, problems: wrongKeys } = parseApiKeys(env.API_KEYS ?? "");
  problems.push(...wrongKeys.map((problem) => `API_KEYS: ${problem}`));
  if (env.OAUTH_KV === undefined) problems.push("OAUTH_KV must be a KV namespace");
  if (issuer === undefined || first === undefined || problems.length > 0)
    throw new SettingsError(problems.join("; "));
  return { issuer, resources: [first, ...more], keys };
}

/** As clients compare it: character for character, an origin without a slash at its end. */
function readUrl(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || url.search !== "" || url.hash !== "" || url.username !== "") return undefined;
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLocal)) return undefined;
  return url.pathname === "/" ? url.origin : url.href;
}
