// What a request presents to say who is asking: a key or a token, in a header. Never in a URL, which logs and histories keep. Pure.
import { auth as basicAuth } from "hono/utils/basic-auth";

/** Undefined: nothing is presented. A problem says what is wrong with the form, and may be shown to the client. */
export type Credentials = Presented | { problem: string } | undefined;

interface Presented {
  /** A key, or a token. */
  key: string;
  /** Only such a one can be a token (RFC 6750 §2.1). */
  isBearer: boolean;
}

// token68 of RFC 9110 §11.2.
const KEY = /^[A-Za-z0-9\-._~+/]+=*$/;
// Tokens of @cloudflare/workers-oauth-provider have colons, too.
const TOKEN = /^[A-Za-z0-9\-._~+/:]+=*$/;
const BEARER = /^bearer +(\S+) *$/i;

/**
 * Bearer KEY (RFC 6750), Basic with the key as the password of any user (RFC 7617), or X-API-Key: KEY.
 * @param areTokensTaken whether Bearer may have a token, too.
 */
export function readCredentials(request: Request, { areTokensTaken = false } = {}): Credentials {
  const authorization = request.headers.get("Authorization");
  const apiKey = request.headers.get("X-API-Key");
  const form = areTokensTaken ? TOKEN : KEY;
  if (apiKey === null)
    return authorization === null ? undefined : ofAuthorization(request, authorization, form);
  if (!KEY.test(apiKey)) return { problem: "X-API-Key must be one key" };
  if (authorization === null) return { key: apiKey, isBearer: false };
  const other = ofAuthorization(request, authorization, form);
  if ("key" in other && other.key !== apiKey) return { problem: "Two different keys are given: send one" };
  return other;
}

function ofAuthorization(
  request: Request,
  authorization: string,
  form: RegExp,
): Presented | { problem: string } {
  const bearer = BEARER.exec(authorization)?.[1];
  if (bearer !== undefined && form.test(bearer)) return { key: bearer, isBearer: true };
  const password = basicAuth(request)?.password;
  if (password === undefined || !KEY.test(password))
    return { problem: "Authorization must be Bearer and a key, or Basic with a key as the password" };
  return { key: password, isBearer: false };
}
