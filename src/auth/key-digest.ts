// The SHA-256 of a key, which is all that is known of some. Pure.
import type { ApiKey } from "./api-keys.ts";

/** Of a key itself, or as the operator has configured it. */
export async function digestOf(secret: ApiKey["secret"]): Promise<Uint8Array<ArrayBuffer>> {
  return "key" in secret ? sha256(secret.key) : fromHex(secret.sha256);
}

async function sha256(text: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** @param hex two digits a byte. */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}
