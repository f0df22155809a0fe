// Tokens that show that a form is one of this page, made for the one who sends it, within the hour.
import { createSigner, type Signer } from "./signatures.ts";

/** As long as a sign-in lasts. */
const LIFE_SECONDS = 3600;
// When it was made, and the signature of that and of whose it is.
const TOKEN = /^(\d{1,12})\.([0-9a-f]{64})$/;

export interface Csrf {
  /** @param subject whose form it is: a sign-in, a principal, or nobody yet. */
  tokenFor(subject: string): Promise<string>;
  isTokenOf(token: string, subject: string): Promise<boolean>;
}

/** @param secret of this deployment. Only keys that are derived from it are used. */
export function createCsrf({ secret, now }: { secret: string; now: () => Date }): Csrf {
  // The signer, not its promise: the promise of a cancelled request is never settled on Workers.
  let made: Signer | undefined;
  const signer = async () => (made ??= await createSigner(secret, "forms"));
  const seconds = () => Math.floor(now().getTime() / 1000);

  return {
    async tokenFor(subject) {
      const issued = seconds();
      return `${issued}.${await (await signer()).sign(`${issued} ${subject}`)}`;
    },
    async isTokenOf(token, subject) {
      const [, issued = "", signature = ""] = TOKEN.exec(token) ?? [];
      if (signature === "" || seconds() - Number(issued) >= LIFE_SECONDS) return false;
      return (await signer()).isSignatureOf(signature, `${issued} ${subject}`);
    },
  };
}
