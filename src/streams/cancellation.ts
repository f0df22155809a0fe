// Cancels calls that are running: at once on this isolate, and elsewhere by a mark in the database, which whoever runs a call that
// takes long looks for.
import { DatabaseFault } from "../db/fault.ts";
import type { RequestId } from "./event-id.ts";
import type { StreamStore } from "./store.ts";

/** How often a call that takes long looks for its mark, in milliseconds. One that ends before costs no query. */
export const CANCELLATION_CHECK_MS = 5000;

export interface Call {
  sessionKey: string;
  requestId: RequestId;
}

export interface Cancellation {
  /** @returns what to call when the call has ended. @param onCancelled is called once, when it has been cancelled. */
  watch(call: Call, onCancelled: () => void): () => void;
  /** Cancels a call, wherever it runs, or a question of it that waits. @throws DatabaseFault */
  cancel(call: Call): Promise<void>;
}

const nameOf = ({ sessionKey, requestId }: Call) => `${sessionKey} ${JSON.stringify(requestId)}`;

/** Bounded by the requests that an isolate has. */
export function createCancellation(store: Pick<StreamStore, "cancel" | "isCancelled">): Cancellation {
  const running = new Map<string, () => void>();
  return {
    watch(call, onCancelled) {
      const name = nameOf(call);
      let timer: ReturnType<typeof setTimeout>;
      const stop = () => {
        clearTimeout(timer);
        if (running.get(name) === cancelled) running.delete(name);
      };
      const cancelled = () => {
        stop();
        onCancelled();
      };
      const look = async () => {
        const isCancelled = await store.isCancelled(call.sessionKey, call.requestId).catch(unknownWhenDown);
        if (running.get(name) !== cancelled) return;
        if (isCancelled) cancelled();
        else lookLater();
      };
      const lookLater = () => (timer = setTimeout(() => void look(), CANCELLATION_CHECK_MS));
      running.set(name, cancelled);
      lookLater();
      return stop;
    },
    async cancel(call) {
      const cancelled = running.get(nameOf(call));
      if (cancelled === undefined) await store.cancel(call.sessionKey, call.requestId);
      else cancelled();
    },
  };
}

function unknownWhenDown(error: unknown): false {
  if (!(error instanceof DatabaseFault)) throw error;
  return false;
}
