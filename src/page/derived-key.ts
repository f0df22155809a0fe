// Keys for signatures, derived from a secret that the deployment has anyway (RFC 5869).

export const bytesOf = (text: string) => new TextEncoder().encode(text);

/**
 * 256 bits for one purpose. Nothing can be learned from them of the secret, nor of those for another purpose or salt.
 * @param salt what else must be known: with another one the bits are others.
 */
export async function derivedKey(secret: string, salt: Uint8Array, purpose: string): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", bytesOf(secret), "HKDF", false, ["deriveBits"]);
  const info = bytesOf(`mcp-sessions page: ${purpose}`);
  return new Uint8Array(
    await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info }, key, 256),
  );
}
