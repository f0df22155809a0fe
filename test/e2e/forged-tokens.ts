// Tokens that an honest authorization server does not issue, made of one that it has issued.
import {
  type CryptoKey,
  decodeJwt,
  decodeProtectedHeader,
  importJWK,
  type JWTHeaderParameters,
  SignJWT,
} from "jose";
import type { AuthorizationServer } from "../support/authorization-server.ts";

export interface Changes {
  /** Undefined takes a claim away. */
  claims?: Record<string, unknown>;
  header?: Partial<JWTHeaderParameters>;
  /** The key, when it is not the one that has signed the original. */
  key?: CryptoKey | Uint8Array;
}

/** The same token with these changes, with a good signature by the same key. */
export async function resigned(
  { keys }: AuthorizationServer,
  token: string,
  { claims = {}, header = {}, key }: Changes = {},
): Promise<string> {
  const original = decodeProtectedHeader(token);
  const own = keys.find(({ kid }) => kid === original.kid);
  if (own === undefined) throw new Error("The server has not signed this token");
  return new SignJWT({ ...decodeJwt(token), ...claims })
    .setProtectedHeader({ ...original, alg: own.alg ?? "", ...header })
    .sign(key ?? (await importJWK(own, own.alg)));
}

/** Base64url of a JSON value: the first two parts of a JWT are that. */
export const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
