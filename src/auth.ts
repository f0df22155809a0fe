// Bearer keys: who is asking, and whether they may. Never touches the database.
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { ApiKey, Scope } from "./api-keys.ts";
import { AppError } from "./errors.ts";

/** Whoever holds one of the keys of a name. */
export interface Principal {
  name: string;
  scopes: readonly Scope[];
}

export interface PrincipalVariables {
  principal: Principal;
}

/** `undefined` for a missing, malformed or unknown key: the caller cannot tell them apart, nor can a client. */
export type Authenticate = (authorization: string | undefined) => Promise<Principal | undefined>;

const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;

/** Compares digests in constant time, and with every key, so that timing tells nothing of any. */
export function createAuthenticate(keys: readonly ApiKey[]): Authenticate {
  let digests: Promise<{ principal: Principal; digest: Uint8Array }[]> | undefined;
  return async (authorization) => {
    const key = BEARER.exec(authorization ?? "")?.[1];
    if (key === undefined) return undefined;
    digests ??= Promise.all(keys.map(digested));
    const presented = await sha256(key);
    let found: Principal | undefined;
    for (const { principal, digest } of await digests) {
      if (crypto.subtle.timingSafeEqual(digest, presented)) found = principal;
    }
    return found;
  };
}

/** 401 without a valid key, 403 with one that lacks the scope (RFC 6750 §3.1). */
export function requireScope(authenticate: Authenticate, scope: Scope) {
  return createMiddleware<{ Variables: PrincipalVariables }>(async function scopeGuard(c, next) {
    const authorization = c.req.header("Authorization");
    const principal = await authenticate(authorization);
    if (principal === undefined) {
      const error = authorization === undefined ? "" : ', error="invalid_token"';
      throw new AppError("unauthenticated", undefined, {
        "WWW-Authenticate": `Bearer realm="mcp-sessions"${error}`,
      });
    }
    c.set("principal", principal);
    if (!principal.scopes.includes(scope)) {
      throw new AppError("forbidden", undefined, {
        "WWW-Authenticate": `Bearer realm="mcp-sessions", error="insufficient_scope", scope="${scope}"`,
      });
    }
    await next();
  });
}

/**
 * The name of whoever is asking, behind `requireScope`. A front end with tokens would give issuer and subject.
 * @throws Error when nobody has been authenticated: nameless callers must not share sessions.
 */
export function principalOf(c: Context): string {
  const principal: Principal | undefined = c.get("principal");
  if (principal === undefined) throw new Error("The route has no authentication");
  return principal.name;
}

async function digested({ name, scopes, secret }: ApiKey) {
  const digest = "key" in secret ? await sha256(secret.key) : fromHex(secret.sha256);
  return { principal: { name, scopes }, digest };
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}
