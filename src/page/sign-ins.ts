// Who has signed in with a key: a signed cookie. It ends after an hour, and when its key is not in API_KEYS any more.
import type { Context } from "hono";
import { deleteCookie, getCookie, getSignedCookie, setSignedCookie } from "hono/cookie";
import type { ApiKey } from "../auth/api-keys.ts";
import { digestOf } from "../auth/keys.ts";
import type { Principal } from "../auth/principal.ts";
import { derivedKey } from "./derived-key.ts";

const LIFE_SECONDS = 3600;
const NAME = "mcp-admin";
const PREFIX = "host";
const ATTRIBUTES = { httpOnly: true, secure: true, sameSite: "Strict", path: "/", prefix: PREFIX } as const;

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
  /** Derived from the key of API_KEYS, and from a secret: who knows the digest of a key alone cannot sign. */
  secret: Uint8Array;
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
      secret: await derivedKey(secret, digest, "sign-ins"),
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

    async begin(c, { principal, secret: ownSecret }) {
      const id = `${seconds()}.${crypto.randomUUID()}.${principal.name}`;
      await setSignedCookie(c, NAME, id, ownSecret, { ...ATTRIBUTES, maxAge: LIFE_SECONDS });
    },

    async find(c) {
      const cookie = getCookie(c, NAME, PREFIX);
      const [, issued, name] = COOKIE.exec(cookie ?? "") ?? [];
      if (issued === undefined || seconds() - Number(issued) >= LIFE_SECONDS) return undefined;
      for (const own of await keys()) {
        if (own.principal.name !== name) continue;
        const id = await getSignedCookie(c, own.secret, NAME, PREFIX);
        if (typeof id === "string") return { principal: own.principal, id };
      }
      return undefined;
    },

    end(c) {
      deleteCookie(c, NAME, ATTRIBUTES);
    },
  };
}

// When it was issued, what makes it the only one, whose it is, the signature. A name has no slash, a signature no dot.
const COOKIE = /^(\d{1,12})\.[0-9a-f-]{36}\.([A-Za-z0-9._-]{1,64})\.[A-Za-z0-9+/=]{44}$/;
