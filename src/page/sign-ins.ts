// Who has signed in with a key: a signed cookie. It ends after an hour, and when its key is not in API_KEYS any more.
import type { Context } from "hono";
import type { ApiKey } from "../auth/api-keys.ts";
import { digestOf } from "../auth/key-digest.ts";
import type { Principal } from "../auth/principal.ts";
import { createSigner, type Signer } from "./signatures.ts";

const LIFE_SECONDS = 3600;
// A browser takes a cookie of this name only over TLS (or from this machine), for this host alone, and for all its paths.
const NAME = "__Host-mcp-admin";
const ATTRIBUTES = "Path=/; HttpOnly; Secure; SameSite=Strict";
// When it was issued, what makes it the only one, whose it is, and the signature of all that.
const COOKIE = new RegExp(
  `(?:^|;) *${NAME}=((\\d{1,12})\\.[0-9a-f-]{36}\\.([\\w.-]{1,64}))\\.([0-9a-f]{64}) *(?:;|$)`,
);

export interface SignIn {
  principal: Principal;
  /** What only this sign-in has. */
  id: string;
}

export interface SignIns {
  /** Whose key this is; undefined when it is none of API_KEYS. */
  holderOf(key: string): Promise<KeyHolder | undefined>;
  begin(c: Context, holder: KeyHolder): Promise<void>;
  /** Who has signed in with the browser of a request. Of a forged, changed or old cookie: undefined. */
  find(c: Context): Promise<SignIn | undefined>;
  end(c: Context): void;
}

/** Who holds one of the keys of API_KEYS. */
export interface KeyHolder {
  principal: Principal;
  digest: Uint8Array;
  /** By the key of API_KEYS and by a secret: who knows the digest of a key alone cannot sign. */
  signer: Signer;
}

export interface SignInsOptions {
  apiKeys: readonly ApiKey[];
  secret: string;
  now: () => Date;
}

export function createSignIns({ apiKeys, secret, now }: SignInsOptions): SignIns {
  // The keys, not their promise: the promise of a cancelled request is never settled on Workers.
  let made: KeyHolder[] | undefined;
  const keys = async () => (made ??= await Promise.all(apiKeys.map(keyHolder)));
  const seconds = () => Math.floor(now().getTime() / 1000);

  async function keyHolder(apiKey: ApiKey): Promise<KeyHolder> {
    const digest = await digestOf(apiKey.secret);
    const { name, scopes } = apiKey;
    return {
      principal: { name, scopes, label: name },
      digest,
      signer: await createSigner(secret, "sign-ins", digest),
    };
  }

  return {
    async holderOf(key) {
      const presented = await digestOf({ key });
      // As createAuthenticate: with every key, so that the time tells nothing about any of them.
      let found: KeyHolder | undefined;
      for (const own of await keys()) {
        if (crypto.subtle.timingSafeEqual(own.digest, presented)) found = own;
      }
      return found;
    },

    async begin(c, { principal, signer }) {
      const id = `${seconds()}.${crypto.randomUUID()}.${principal.name}`;
      c.header(
        "Set-Cookie",
        `${NAME}=${id}.${await signer.sign(id)}; Max-Age=${LIFE_SECONDS}; ${ATTRIBUTES}`,
      );
    },

    async find(c) {
      const [, id = "", issued, name, signature = ""] = COOKIE.exec(c.req.header("Cookie") ?? "") ?? [];
      if (seconds() - Number(issued ?? 0) >= LIFE_SECONDS) return undefined;
      for (const { principal, signer } of await keys()) {
        if (principal.name === name && (await signer.isSignatureOf(signature, id))) return { principal, id };
      }
      return undefined;
    },

    end(c) {
      c.header("Set-Cookie", `${NAME}=; Max-Age=0; ${ATTRIBUTES}`);
    },
  };
}
