// What a request presents to say who is asking: a key, in a header. Never in a URL, which logs and histories keep. Pure.
import { auth as basicAuth } from "hono/utils/basic-auth";

/** Undefined: nothing is presented. A problem says what is wrong with the form, and may be shown to the client. */
export type Credentials = { key: string } | { problem: string } | undefined;

// token68 of RFC 9110 §11.2.
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;
const KEY = /^[A-Za-z0-9\-._~+/]+=*$/;

/** Bearer KEY (RFC 6750), Basic with the key as the password of any user (RFC 7617), or X-API-Key: KEY. */
export function readCredentials(request: Request): Credentials {
  const authorization = request.headers.get("Authorization");
  const apiKey = request.headers.get("X-API-Key");
  if (apiKey === null) return authorization === null ? undefined : ofAuthorization(request, authorization);
  if (!KEY.test(apiKey)) return { problem: "X-API-Key must be one key" };
  if (authorization === null) return { key: apiKey };
  const other = ofAuthorization(request, authorization);
  if ("key" in other && other.key !== apiKey) return { problem: "Two different keys are given: send one" };
  return other;
}

function ofAuthorization(request: Request, authorization: string): { key: string } | { problem: string } {
  const key = BEARER.exec(authorization)?.[1] ?? basicAuth(request)?.password;
  if (key === undefined || !KEY.test(key))
    return { problem: "Authorization must be Bearer and a key, or Basic with a key as the password" };
  return { key };
}
