// What a client of a call with questions carries from one round to the next, sealed: as handlers make it, and as the SDK checks
// what comes back.
import type { MarksStore } from "../streams/marks-store.ts";
import { MAX_SECONDS } from "../settings.ts";
import type { Sealer } from "../streams/sealed.ts";
import type { Json, RequestStates } from "./context.ts";

/** The SDK's own lifetime of such a state. */
const DEFAULT_TTL_SECONDS = 600;

export interface RequestStateOptions {
  sealer: Sealer;
  marks: MarksStore;
  now: () => Date;
}

/** For the handlers of a request. */
export function requestStatesOf({ sealer, now }: RequestStateOptions, principal: string): RequestStates {
  return {
    async seal(value: Json, { singleUse = false, ttlSeconds = DEFAULT_TTL_SECONDS } = {}) {
      if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > MAX_SECONDS)
        throw new RangeError(`ttlSeconds must be a whole number from 1 to ${MAX_SECONDS}`);
      const expiresAt = new Date(now().getTime() + ttlSeconds * 1000);
      return sealer.seal(
        { value, expiresAt, singleUse: singleUse ? crypto.randomUUID() : undefined },
        principal,
      );
    },
  };
}

/**
 * What was sealed, for `requestState.verify` of the SDK. The SDK answers a refusal with -32602.
 * @throws Error when it is not this principal's, has expired or was used; DatabaseFault
 */
export async function readRequestState(
  text: string,
  { sealer, marks, now }: RequestStateOptions,
  principal: string,
): Promise<unknown> {
  const { value, singleUse, expiresAt } = await opened(text, sealer, principal);
  if (singleUse === undefined) return value;
  // As long as it could be used.
  const seconds = Math.max(Math.ceil((expiresAt.getTime() - now().getTime()) / 1000), 1);
  if (!(await marks.make(`used:${singleUse}`, principal, seconds)))
    throw new Error("The state was used before");
  return value;
}

/**
 * The same for a task, which was given it once and may be run again.
 * @throws Error when it is not this principal's, or has expired
 */
export async function reopenRequestState(
  text: string,
  { sealer }: RequestStateOptions,
  principal: string,
): Promise<unknown> {
  const { value } = await opened(text, sealer, principal);
  return value;
}

async function opened(text: string, sealer: Sealer, principal: string) {
  const state = await sealer.open(text, principal);
  if (state === undefined) throw new Error("The state is not valid");
  return state;
}
