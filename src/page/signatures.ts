// Signatures of texts, by keys that are derived from a secret which the deployment has anyway (RFC 5869, RFC 2104).
import { fromHex } from "../auth/key-digest.ts";

export interface Signer {
  /** 64 hex digits. */
  sign(text: string): Promise<string>;
  /** In a time that tells nothing of the right one. */
  isSignatureOf(signature: string, text: string): Promise<boolean>;
}

/**
 * Its signatures tell nothing of the secret, and are none of a signer for another purpose or salt.
 * @param salt what else must be known to sign.
 */
export async function createSigner(
  secret: string,
  purpose: string,
  salt = new Uint8Array(),
): Promise<Signer> {
  const root = await crypto.subtle.importKey("raw", bytesOf(secret), "HKDF", false, ["deriveKey"]);
  const key = await crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt, info: bytesOf(`mcp-sessions page: ${purpose}`) },
    root,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign", "verify"],
  );
  return {
    async sign(text) {
      const signature = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytesOf(text)));
      return Array.from(signature, (byte) => byte.toString(16).padStart(2, "0")).join("");
    },
    isSignatureOf: (signature, text) => crypto.subtle.verify("HMAC", key, fromHex(signature), bytesOf(text)),
  };
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
