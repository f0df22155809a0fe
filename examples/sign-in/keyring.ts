// Who holds which key, and whether a key that granted something still is one. Never asks anybody.
import { type ApiKey, createAuthenticate, type Scope } from "mcp-sessions/auth";

/** What a grant remembers of the key that made it. It is stored encrypted, and leaves this Worker never. */
export interface Granted {
  /** The SHA-256 of the key, in lower-case hex. */
  key: string;
}

export interface Holder extends Granted {
  name: string;
  scopes: readonly Scope[];
}

export interface Keyring {
  /** The holder of a key with the scope mcp, which signing in needs; undefined for any other text. */
  holderOf(key: string): Promise<Holder | undefined>;
  /** What the key that granted something may do now; nothing when it is gone, or has lost the scope mcp. */
  scopesNow(name: string, granted: Granted): Promise<readonly Scope[]>;
}

export function createKeyring(keys: readonly ApiKey[]): Keyring {
  const authenticate = createAuthenticate(keys);
  // The digests, not their promise: a promise of a cancelled request is never settled on Workers.
  let digests: string[] | undefined;
  return {
    async holderOf(key) {
      const principal = await authenticate(key);
      if (!principal?.scopes.includes("mcp")) return undefined;
      return { name: principal.name, scopes: principal.scopes, key: await sha256Hex(key) };
    },
    async scopesNow(name, granted) {
      digests ??= await Promise.all(keys.map(digestOf));
      const key = keys.findLast((candidate, i) => candidate.name === name && digests?.[i] === granted.key);
      return key?.scopes.includes("mcp") ? key.scopes : [];
    },
  };
}

async function digestOf({ secret }: ApiKey): Promise<string> {
  return "key" in secret ? sha256Hex(secret.key) : secret.sha256;
}

async function sha256Hex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
