// Which Worker calls, as the owner of its service binding says it, in `props`. No caller can say it of itself. Pure.
import * as z from "zod";
import { KEY_NAME, type Scope, scopes } from "../auth/api-keys.ts";
import { labelOf, nameOfBearer, type Principal } from "../auth/principal.ts";

export interface Caller {
  /** Stands in logs, and keeps the users of two Workers apart. */
  caller: string;
  scopes: readonly Scope[];
}

const callerShape = z.object({
  caller: z.string().regex(KEY_NAME),
  scopes: z.array(z.enum(scopes)),
});

/** Undefined for props that do not say who calls: then nothing is allowed. */
export const readCaller = (props: unknown): Caller | undefined => callerShape.safeParse(props).data;

/** Whose sessions a user of that Worker has. No key, and nobody with a token, has this name. */
export const nameOfUser = ({ caller }: Caller, user: string) => nameOfBearer(issuerOf(caller), user);

// No issuer of tokens is called so: those are addresses.
const issuerOf = (caller: string) => `binding:${caller}`;

// The last instant of a Date: what a binding says holds as long as the call.
const NEVER = new Date(8_640_000_000_000_000);

/** A user of that Worker, as the routes know it. */
export async function principalOfUser(caller: Caller, user: string): Promise<Principal> {
  const name = nameOfUser(caller, user);
  const token = {
    issuer: issuerOf(caller.caller),
    subject: user,
    clientId: caller.caller,
    scopes: caller.scopes,
    claims: {},
    expiresAt: NEVER,
  };
  return { name, scopes: caller.scopes, label: await labelOf(name), token };
}
