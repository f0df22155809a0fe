// Seals what a client carries from one round of a call to the next: it can neither read nor change it. AES-GCM, bound to the
// principal and to a time. Pure but for the random numbers.
import { base64url } from "jose";
import * as z from "zod";

export interface SealedState {
  value: unknown;
  /** Undefined: it may be used again. */
  singleUse: string | undefined;
  expiresAt: Date;
}

const ID_BYTES = 4;
const IV_BYTES = 12;
const AES = "AES-GCM";

const content = z.object({ v: z.unknown(), e: z.number(), u: z.string().optional() });

export interface Sealer {
  seal(state: SealedState, principal: string): Promise<string>;
  /** Undefined when it was not sealed with one of the keys, for this principal, or has expired. */
  open(text: string, principal: string): Promise<SealedState | undefined>;
}

/** @param keys the first seals, all open. */
export function createSealer(keys: readonly string[], now: () => Date): Sealer {
  return {
    async seal({ value, singleUse, expiresAt }, principal) {
      const { id, key } = await imported(keys[0] ?? "");
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
      const text = JSON.stringify({ v: value, e: Math.floor(expiresAt.getTime() / 1000), u: singleUse });
      const sealed = await crypto.subtle.encrypt(algorithm(iv, principal), key, bytesOf(text));
      return base64url.encode(joined(id, iv, new Uint8Array(sealed)));
    },

    async open(text, principal) {
      const bytes = decoded(text);
      if (bytes === undefined) return undefined;
      const [id, iv] = [bytes.slice(0, ID_BYTES), bytes.slice(ID_BYTES, ID_BYTES + IV_BYTES)];
      for (const candidate of keys) {
        const found = await imported(candidate);
        if (base64url.encode(found.id) !== base64url.encode(id)) continue;
        const opened = await crypto.subtle
          .decrypt(algorithm(iv, principal), found.key, bytes.slice(ID_BYTES + IV_BYTES))
          .catch(() => undefined);
        if (opened === undefined) continue;
        const { v: value, e, u: singleUse } = content.parse(JSON.parse(new TextDecoder().decode(opened)));
        const expiresAt = new Date(e * 1000);
        return expiresAt > now() ? { value, singleUse, expiresAt } : undefined;
      }
      return undefined;
    },
  };
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

const algorithm = (iv: Uint8Array<ArrayBuffer>, principal: string) => ({
  name: AES,
  iv,
  additionalData: bytesOf(`request state of ${principal}`),
});

async function imported(secret: string) {
  const digest = (purpose: string) => crypto.subtle.digest("SHA-256", bytesOf(`${purpose}:${secret}`));
  const [id, raw] = await Promise.all([digest("request state id"), digest("request state key")]);
  return {
    id: new Uint8Array(id, 0, ID_BYTES),
    key: await crypto.subtle.importKey("raw", raw, AES, false, ["encrypt", "decrypt"]),
  };
}

function joined(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function decoded(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const bytes = new Uint8Array(base64url.decode(text));
    return bytes.length > ID_BYTES + IV_BYTES ? bytes : undefined;
  } catch {
    return undefined;
  }
}
