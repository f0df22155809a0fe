// The handles of one principal, as tools use them. Checks values, and repeats a change when another one came between.
import { isLongerThan, storabilityProblem, utf8Bytes } from "../session/json.ts";
import { repeatedChange } from "../session/repeated-change.ts";
import { MAX_SECONDS } from "../settings.ts";
import { createHandleId, isHandleId, keyOfHandle } from "./handle-id.ts";
import { type HandleEntry, HandleError, type HandleErrorCode, type Handles } from "./handles.ts";
import type { HandleConfig } from "./settings.ts";
import type { HandleStore, StoredHandle } from "./store.ts";

export interface HandlesOptions extends Omit<HandleConfig, "maxPerPrincipal"> {
  store: HandleStore;
}

const MAX_KIND_CHARACTERS = 64;

export function createOwnHandles({ store, ttlSeconds, limitBytes }: HandlesOptions, owner: string): Handles {
  const textOf = (value: unknown) => jsonOf(value, limitBytes);
  const read = async (handle: string) =>
    isHandleId(handle) ? store.read(await keyOfHandle(handle), owner) : undefined;
  const change = async (handle: string, value: string, ifVersion: number | undefined) => {
    const changed = isHandleId(handle)
      ? await store.change(await keyOfHandle(handle), owner, value, ifVersion)
      : undefined;
    return changed ?? refuse("unknown_handle");
  };

  return {
    async make(kind, value, { ttlSeconds: lifetime = ttlSeconds, sliding = false } = {}) {
      checkKind(kind);
      if (!Number.isInteger(lifetime) || lifetime < 1 || lifetime > MAX_SECONDS)
        throw new RangeError(`ttlSeconds must be a whole number from 1 to ${MAX_SECONDS}`);
      const handle = createHandleId();
      const key = await keyOfHandle(handle);
      const made = { key, owner, kind, value: textOf(value), ttlSeconds: lifetime, isSliding: sliding };
      return { handle, version: 1, expiresAt: await store.make(made) };
    },

    async read(handle) {
      const found = await read(handle);
      return found && entryOf(found);
    },

    async change(handle, value, { ifVersion } = {}) {
      const { written, expiresAt } = await change(handle, textOf(value), ifVersion);
      return { version: written ?? refuse("version_mismatch"), expiresAt };
    },

    async update(handle, next) {
      const first = (await read(handle)) ?? refuse("unknown_handle");
      const entry = await repeatedChange(first, async (current) => {
        const text = textOf(next(entryOf(current)));
        const { written, ...found } = await change(handle, text, current.version);
        if (written === null) return { current: found };
        return { written: entryOf({ ...found, value: text, version: written }) };
      });
      return entry ?? refuse("version_mismatch");
    },

    end: async (handle) => isHandleId(handle) && store.end(await keyOfHandle(handle), owner),

    async list({ kind } = {}) {
      if (kind !== undefined) checkKind(kind);
      return store.list(owner, kind);
    },
  };
}

const entryOf = ({ kind, value, version, expiresAt }: StoredHandle): HandleEntry => ({
  kind,
  value: JSON.parse(value),
  version,
  expiresAt,
});

function checkKind(kind: string): void {
  const isStorable = kind.length > 0 && kind.length <= MAX_KIND_CHARACTERS && !kind.includes("\0");
  if (!isStorable || !kind.isWellFormed()) {
    throw new HandleError(
      "not_storable",
      `A kind must have 1 to ${MAX_KIND_CHARACTERS} characters, without NUL and unpaired surrogates`,
    );
  }
}

/** @throws HandleError `too_large` or `not_storable`, before the database is asked. */
function jsonOf(value: unknown, limitBytes: number): string {
  // First, so that no work is spent on the rest of it.
  if (isLongerThan(limitBytes, value)) throw tooLarge(limitBytes);
  const problem = storabilityProblem(value);
  if (problem !== undefined)
    throw new HandleError("not_storable", `The value cannot be kept as it is: ${problem}`);
  const text = JSON.stringify(value);
  if (utf8Bytes(text) > limitBytes) throw tooLarge(limitBytes);
  return text;
}

const tooLarge = (limitBytes: number) =>
  new HandleError("too_large", `The value has more than ${limitBytes} bytes; nothing was written`);

const messages: Record<Extract<HandleErrorCode, "unknown_handle" | "version_mismatch">, string> = {
  // One answer for all of these, so that nobody learns which ids are somebody else's.
  unknown_handle: "There is no such handle: it has expired, or was ended, or is not yours",
  version_mismatch: "The value has been changed meanwhile; nothing was written",
};

function refuse(code: keyof typeof messages): never {
  throw new HandleError(code, messages[code]);
}
