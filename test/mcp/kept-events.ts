// A store of streams that keeps in memory what it is given, and a session for it.
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import type { Session } from "../../src/session/session.ts";
import type { NewEvents, StreamStore, Taken } from "../../src/streams/store.ts";

export const session: Session = {
  key: "5e".repeat(32),
  principal: "alice",
  protocolVersion: "2025-11-25",
  clientInfo: { name: "a client", version: "1" },
  capabilities: { elicitation: { form: {} } },
  logLevel: null,
  createdAt: new Date(0),
  lastActive: new Date(0),
  expiresAt: null,
  isDegraded: false,
};

export interface KeptEvents {
  store: StreamStore;
  /** What was stored, with the numbers of the events. */
  events: () => [number, JSONRPCMessage][];
  /** What was stored of the calls that ask. */
  asked: () => NonNullable<NewEvents["asking"]>[];
  /** The sessions and streams that something was stored for. */
  places: () => string[];
  /** What it was asked to take and to cancel. */
  answers: unknown[][];
  cancelled: unknown[][];
}

/** @param taken what it says to each answer. @param isKept what it says to each event. */
export function keptEvents(taken: Taken = { outcome: "waiting" }, isKept = true): KeptEvents {
  const batches: (NewEvents & { session: string })[] = [];
  const answers: unknown[][] = [];
  const cancelled: unknown[][] = [];
  return {
    answers,
    cancelled,
    events: () =>
      batches.flatMap(({ firstEvent, messages }) =>
        messages.map((text, i): [number, JSONRPCMessage] => [firstEvent + i, JSON.parse(text)]),
      ),
    asked: () => batches.flatMap(({ asking }) => (asking === undefined ? [] : [asking])),
    places: () => batches.map(({ session: key, stream }) => `${key} ${stream}`),
    store: {
      async append(key, events) {
        if (isKept) batches.push({ session: key, ...events });
        return isKept;
      },
      replay: async () => ({ state: "expired", lastEvent: 0, events: [] }),
      async answer(...said) {
        answers.push(said);
        return taken;
      },
      cancel: async (...call) => void cancelled.push(call),
      isCancelled: async () => false,
    },
  };
}
