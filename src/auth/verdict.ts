// What verifying a token ends in. Pure.
import type { Principal } from "./principal.ts";

/** Why a token is refused, and what its bearer is told: the kind of the fault, never a value of the token. */
export const tokenRefusals = {
  too_large: "The token is too large",
  malformed: "The token is not well-formed",
  unknown_token: "The token is not known here",
  not_an_access_token: "The token is not an access token",
  bad_algorithm: "The token is signed with an algorithm that is not allowed",
  unknown_key: "The token is signed with a key that its issuer does not have",
  bad_signature: "The signature of the token is wrong",
  wrong_issuer: "The token is of an issuer that is not trusted here",
  wrong_audience: "The token is for another resource",
  no_expiry: "The token does not say when it expires",
  expired: "The token has expired",
  not_yet_valid: "The token is not valid yet",
  no_subject: "The token does not say whose it is",
} as const satisfies Record<string, string>;

export type TokenRefusal = keyof typeof tokenRefusals;

export type Verdict =
  | { kind: "accepted"; principal: Principal }
  | { kind: "refused"; reason: TokenRefusal }
  /** What tells what a token is worth cannot be reached: nothing is known of the token. */
  | { kind: "unavailable"; source: VerdictSource };

/**
 * What a verdict is made of: the issuer's metadata and its keys, its introspection, or the bound authorization server.
 * `new_keys`: keys that its issuer may have made since they were fetched, a moment ago.
 */
export type VerdictSource = "metadata" | "keys" | "new_keys" | "introspection" | "binding";

/**
 * Says what a token is worth. Never throws.
 * @param resource the URL of the resource that the token is presented to.
 */
export type VerifyToken = (token: string, resource: string) => Promise<Verdict>;

export const refused = (reason: TokenRefusal): Verdict => ({ kind: "refused", reason });
