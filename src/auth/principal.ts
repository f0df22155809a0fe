// Who is asking, behind the guard. Pure.
import type { Context } from "hono";
import type { Scope } from "./api-keys.ts";

/** The holder of a key: all keys of one name are one principal. */
export interface Principal {
  name: string;
  scopes: readonly Scope[];
}

export interface PrincipalVariables {
  principal: Principal;
}

/**
 * The name of the principal of a request.
 * @throws Error on a route without a guard: callers without a name must not share sessions.
 */
export function principalOf(c: Context): string {
  const principal: Principal | undefined = c.get("principal");
  if (principal === undefined) throw new Error("The route has no authentication");
  return principal.name;
}
