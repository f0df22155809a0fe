// The session's document as handlers use it. Checks values, and repeats a change when another write came between.
import { type Json, type SessionState, StateError } from "../mcp/context.ts";
import { isLongerThan, storabilityProblem, utf8Bytes } from "./json.ts";
import { repeatedChange } from "./repeated-change.ts";
import type { Session } from "./session.ts";
import { STATE_LIMIT_BYTES, type StateRefusal, type StateStore } from "./state-store.ts";

const MAX_KEY_CHARACTERS = 256;

/** @param store is not asked while the session is degraded. */
export function createSessionState(store: StateStore, session: Session): SessionState {
  const reachable = (key: string): StateStore => {
    checkKey(key);
    if (session.isDegraded) throw refusal("unavailable");
    return store;
  };

  return {
    async get(key) {
      const entry = await reachable(key).get(session, key);
      if (entry === undefined) throw refusal("session_ended");
      return entry.found ? { value: asJson(entry.value), version: entry.version } : undefined;
    },

    async set(key, value, { ifVersion } = {}) {
      const reached = reachable(key);
      checkValue(key, value);
      const write = await reached.set(session, key, value, ifVersion);
      if (write.outcome !== "written") throw refusal(write.outcome);
      return { version: write.version, sizeBytes: write.sizeBytes };
    },

    async delete(key, { ifVersion } = {}) {
      const write = await reachable(key).delete(session, key, ifVersion);
      if (write.outcome === "deleted") return write.existed;
      throw refusal(write.outcome);
    },

    async update(key, change) {
      const first = await reachable(key).get(session, key);
      if (first === undefined) throw refusal("session_ended");
      const entry = await repeatedChange(first, async (current) => {
        const value = change(current.found ? asJson(current.value) : undefined);
        checkValue(key, value);
        const write = await store.set(session, key, value, current.version);
        if (write.outcome === "written") return { written: { value, version: write.version } };
        if (write.outcome !== "version_mismatch") throw refusal(write.outcome);
        return { current: write.current };
      });
      if (entry === undefined) throw refusal("version_mismatch");
      return entry;
    },
  };
}

function asJson(value: unknown): Json {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it is what the driver has parsed of jsonb
  return value as Json;
}

function checkKey(key: string): void {
  const isStorable = key.length > 0 && key.length <= MAX_KEY_CHARACTERS && !key.includes("\0");
  if (!isStorable || !key.isWellFormed()) {
    throw new StateError(
      "not_storable",
      `A key must have 1 to ${MAX_KEY_CHARACTERS} characters, without NUL and unpaired surrogates`,
    );
  }
}

/** @throws StateError `too_large` or `not_storable`, before the database is asked. */
function checkValue(key: string, value: unknown): void {
  // First, so that no work is spent on the rest of it.
  if (isLongerThan(STATE_LIMIT_BYTES, value)) throw refusal("too_large");
  const problem = storabilityProblem(value);
  if (problem !== undefined) {
    throw new StateError("not_storable", `The value cannot be kept as it is: ${problem}`);
  }
  // PostgreSQL writes the same JSON with some spaces, so what is too long here is too long there.
  if (utf8Bytes(JSON.stringify({ [key]: value })) > STATE_LIMIT_BYTES) throw refusal("too_large");
}

const messages: Record<StateRefusal | "unavailable", string> = {
  session_ended: "The session has ended",
  unavailable: "The session's state cannot be reached at the moment; nothing was done",
  too_large: `The session would hold more than ${STATE_LIMIT_BYTES} bytes; nothing was written`,
  version_mismatch: "The value has been changed meanwhile; nothing was written",
};

function refusal(code: keyof typeof messages): StateError {
  return new StateError(code, messages[code]);
}
