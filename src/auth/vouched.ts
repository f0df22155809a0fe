// Requests of a Worker that has found out who is asking. No header says so: only code in this isolate can.
import type { Principal } from "./principal.ts";

const principals = new WeakMap<Request, Principal>();

/** From now on this request, the object itself, is one of this principal. */
export function vouchFor(request: Request, principal: Principal): Request {
  principals.set(request, principal);
  return request;
}

/** Undefined for a request that must show who it is of. */
export const vouchedPrincipal = (request: Request): Principal | undefined => principals.get(request);
