// Verifies keys. Never asks the database.
import type { ApiKey } from "./api-keys.ts";
import type { Principal } from "./principal.ts";

/** `undefined` for an unknown key. */
export type Authenticate = (key: string) => Promise<Principal | undefined>;

/** Compares digests in constant time, and with every key, so that the time tells nothing about any of them. */
export function createAuthenticate(keys: readonly ApiKey[]): Authenticate {
  let digests: { principal: Principal; digest: Uint8Array }[] | undefined;
  return async (key) => {
    // The digests, not their promise: a promise of a cancelled request is never settled on Workers.
    digests ??= await Promise.all(keys.map(digested));
    const presented = await sha256(key);
    let found: Principal | undefined;
    for (const { principal, digest } of digests) {
      if (crypto.subtle.timingSafeEqual(digest, presented)) found = principal;
    }
    return found;
  };
}

async function digested({ name, scopes, secret }: ApiKey) {
  return { principal: { name, scopes, label: name }, digest: await digestOf(secret) };
}

/** The SHA-256 of a key, which is all that is known of some. */
export async function digestOf(secret: ApiKey["secret"]): Promise<Uint8Array> {
  return "key" in secret ? sha256(secret.key) : fromHex(secret.sha256);
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}
