// Verifies keys. Never asks the database.
import type { ApiKey } from "./api-keys.ts";
import { digestOf } from "./key-digest.ts";
import type { Principal } from "./principal.ts";

/** `undefined` for an unknown key. */
export type Authenticate = (key: string) => Promise<Principal | undefined>;

/** Compares digests in constant time, and with every key, so that the time tells nothing about any of them. */
export function createAuthenticate(keys: readonly ApiKey[]): Authenticate {
  let digests: { principal: Principal; digest: Uint8Array }[] | undefined;
  return async (key) => {
    // The digests, not their promise: a promise of a cancelled request is never settled on Workers.
    digests ??= await Promise.all(keys.map(digested));
    const presented = await digestOf({ key });
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
