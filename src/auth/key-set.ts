// The keys of an issuer, kept for the life of an isolate, and where they are.
//
// Fetched when a token of the issuer arrives and none are kept, every ten minutes, and when a token names a key that is
// not there; never for each request. While they cannot be fetched, the issuer is asked every few seconds only.
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from "jose";
import * as z from "zod";
import { isAddress } from "./token-settings.ts";
import type { VerdictSource } from "./verdict.ts";

/** What tells what a token is worth cannot be reached, or answers nonsense. */
export class Unreachable extends Error {
  override name = "Unreachable";
  readonly source: VerdictSource;

  constructor(source: VerdictSource) {
    super(`No usable answer: ${source}`);
    this.source = source;
  }
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

// An MCP client waits for a minute. Two fetches, metadata and keys, must fit well into that.
const TIMEOUT_MS = 5000;
// Key sets have a few keys of a kilobyte or two.
const MAX_ANSWER_BYTES = 256 * 1024;
// While an issuer is down, each isolate asks it this often, however many tokens arrive.
const RETRY_MS = 5000;
// A new key is taken at once, but tokens with made-up keys cannot make an isolate ask more often than this.
const UNKNOWN_KEY_COOLDOWN_MS = 30_000;
const MAX_AGE_MS = 600_000;

/**
 * An answer that has been read as a whole, within a time and a size. No redirect is followed.
 * @throws Unreachable
 */
export async function fetchBounded(
  fetch: Fetch,
  source: VerdictSource,
  url: string,
  init: RequestInit = {},
): Promise<Response> {
  try {
    const response = await fetch(url, {
      ...init,
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of response.body ?? []) {
      bytes += part.length;
      if (bytes > MAX_ANSWER_BYTES) throw new Error("The answer is too large");
      parts.push(part);
    }
    return new Response(new Blob(parts), { status: response.status || 502 });
  } catch {
    throw new Unreachable(source);
  }
}

const metadataShape = z.object({ issuer: z.string(), jwks_uri: z.string() });

/** RFC 8414 §3.1 puts the well-known part before the path, OpenID Connect Discovery 1.0 §4 after it. */
function metadataAddresses(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, "");
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
}

async function discoverKeys(issuer: string, fetch: Fetch): Promise<URL> {
  for (const address of metadataAddresses(issuer)) {
    const response = await fetchBounded(fetch, "metadata", address, {
      headers: { Accept: "application/json" },
    });
    if (response.status !== 200) continue;
    const metadata = metadataShape.safeParse(await response.json().catch(() => undefined)).data;
    // RFC 8414 §3.3: metadata of another issuer must not be used.
    if (metadata?.issuer === issuer && isAddress(metadata.jwks_uri)) return new URL(metadata.jwks_uri);
  }
  throw new Unreachable("metadata");
}

const keySetShape = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

async function fetchKeys(fetch: Fetch, address: string, init: RequestInit): Promise<Response> {
  const response = await fetchBounded(fetch, "keys", address, init);
  const keys = keySetShape.safeParse(await response.json().catch(() => undefined)).data;
  if (response.status !== 200 || keys === undefined) throw new Unreachable("keys");
  return Response.json(keys);
}

/** Whether the token is to blame: its key is not there, or is one of several. A key that cannot be used is the issuer's fault. */
const isOfToken = (error: unknown, isTooSoon: boolean) =>
  (error instanceof errors.JWKSNoMatchingKey && !isTooSoon) ||
  error instanceof errors.JWKSMultipleMatchingKeys ||
  error instanceof errors.JOSENotSupported;

/**
 * The keys of one issuer, for jose.
 * @param address where they are; undefined: the metadata of the issuer says it.
 * @throws Unreachable
 */
export function createKeySet(
  issuer: string,
  address: string | undefined,
  { fetch, now }: { fetch: Fetch; now: () => Date },
): JWTVerifyGetKey {
  let found: ReturnType<typeof keysAt> | undefined;
  let failure: { at: number; error: Unreachable } | undefined;

  const keysAt = (source: URL) =>
    // It shares no promise between requests on Workers.
    createRemoteJWKSet(source, {
      cacheMaxAge: MAX_AGE_MS,
      cooldownDuration: UNKNOWN_KEY_COOLDOWN_MS,
      timeoutDuration: TIMEOUT_MS,
      [customFetch]: (url, init) => once(() => fetchKeys(fetch, url, init)),
    });

  /** A fetch that has failed is not tried again at once. */
  async function once<T>(work: () => Promise<T>): Promise<T> {
    if (failure !== undefined && now().getTime() - failure.at < RETRY_MS) throw failure.error;
    try {
      const answer = await work();
      failure = undefined;
      return answer;
    } catch (error) {
      if (error instanceof Unreachable) failure = { at: now().getTime(), error };
      throw error;
    }
  }

  return async (header, token) => {
    found ??= keysAt(
      address === undefined ? await once(() => discoverKeys(issuer, fetch)) : new URL(address),
    );
    // A set that was fetched a moment ago is not fetched again. So nothing is known of a newer key.
    const isTooSoon = found.coolingDown;
    try {
      return await found(header, token);
    } catch (error) {
      // Perhaps they have moved. Keys that are still good stay, whatever a made-up key has caused.
      if (error instanceof Unreachable && !found.fresh) found = undefined;
      if (error instanceof Unreachable || isOfToken(error, isTooSoon)) throw error;
      throw new Unreachable(error instanceof errors.JWKSNoMatchingKey ? "new_keys" : "keys");
    }
  };
}
