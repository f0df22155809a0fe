// Who is asking, behind the guard. Pure.
import type { Context } from "hono";
import type { Scope } from "./api-keys.ts";

/** The holder of a key, or the bearer of a token. All keys of one name are one principal, and all tokens of one person. */
export interface Principal {
  /** Whose sessions these are. Of a key: its name. Of a token: `nameOfBearer`, which no key's name can equal. */
  name: string;
  scopes: readonly Scope[];
  /** What log lines say. Of a key: its name. Of a token: `person:` and 8 hex digits of a hash of `name`. */
  label: string;
  /** What a token says of its bearer; undefined for a key. */
  token?: TokenIdentity;
}

export interface TokenIdentity {
  issuer: string;
  subject: string;
  /** The client that asked for the token, where the token says it. */
  clientId: string | undefined;
  /** As the issuer has given them. */
  scopes: readonly string[];
  /** Everything that the token says. */
  claims: Readonly<Record<string, unknown>>;
  expiresAt: Date;
}

export interface PrincipalVariables {
  principal: Principal;
}

/** A subject is unique to its issuer alone (RFC 7519 §4.1.2). */
export const nameOfBearer = (issuer: string, subject: string) => JSON.stringify([issuer, subject]);

/** What log lines call a principal. An operator finds its sessions by the name; nobody reads a person's from a log. */
export async function labelOf(name: string): Promise<string> {
  // No key's name begins like this.
  if (!name.startsWith("[")) return name;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(name));
  return `person:${new DataView(digest).getUint32(0).toString(16).padStart(8, "0")}`;
}

const bearerShape = /^\["/;

/** The issuer and the subject in the name of a token's principal; undefined for any other name. */
export function bearerIn(name: string | null): { issuer: string; subject: string } | undefined {
  if (name === null || !bearerShape.test(name)) return undefined;
  try {
    const parts: unknown = JSON.parse(name);
    const [issuer, subject]: unknown[] = Array.isArray(parts) ? parts : [];
    const isName = typeof issuer === "string" && typeof subject === "string";
    return isName && nameOfBearer(issuer, subject) === name ? { issuer, subject } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The principal of a request.
 * @throws Error on a route without a guard: callers without a name must not share sessions.
 */
export function callerOf(c: Context): Principal {
  const principal: Principal | undefined = c.get("principal");
  if (principal === undefined) throw new Error("The route has no authentication");
  return principal;
}

/** The name of the principal of a request. @throws Error on a route without a guard. */
export const principalOf = (c: Context): string => callerOf(c).name;
