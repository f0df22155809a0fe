// Tokens that show that a form is one of this page, made for the one who sends it, within the hour.
import { fromHex } from "../auth/keys.ts";
import { bytesOf, derivedKey } from "./derived-key.ts";

/** As long as a sign-in lasts. */
const LIFE_SECONDS = 3600;

export interface Csrf {
  /** @param subject whose form it is: a sign-in, a principal, or nobody yet. */
  tokenFor(subject: string): Promise<string>;
  isTokenOf(token: string, subject: string): Promise<boolean>;
}

/** @param secret of this deployment. Only keys that are derived from it are used. */
export function createCsrf({ secret, now }: { secret: string; now: () => Date }): Csrf {
  // The key, not its promise: the promise of a cancelled request is never settled on Workers.
  let key: CryptoKey | undefined;
  const keyOf = async () => (key ??= await signingKey(secret));
  const seconds = () => Math.floor(now().getTime() / 1000);

  return {
    async tokenFor(subject) {
      const issued = seconds();
      const signature = await crypto.subtle.sign("HMAC", await keyOf(), signed(issued, subject));
      return `${issued}.${toHex(new Uint8Array(signature))}`;
    },
    async isTokenOf(token, subject) {
      const [, issued = "", hex = ""] = TOKEN.exec(token) ?? [];
      if (hex === "" || seconds() - Number(issued) >= LIFE_SECONDS) return false;
      return crypto.subtle.verify("HMAC", await keyOf(), fromHex(hex), signed(issued, subject));
    },
  };
}

const signed = (issued: number | string, subject: string) => bytesOf(`${issued} ${subject}`);

const toHex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const TOKEN = /^(\d{1,12})\.([0-9a-f]{64})$/;

async function signingKey(secret: string): Promise<CryptoKey> {
  const bytes = await derivedKey(secret, new Uint8Array(), "forms");
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}
