// The document of a session as tools use it: what is refused before the database is asked.
import { beforeEach, describe, expect, inject, test } from "vitest";
import { connect } from "../../src/db/client.ts";
import type { SessionState } from "../../src/mcp/context.ts";
import { unknownSession } from "../../src/session/degraded.ts";
import { createSessionState } from "../../src/session/state.ts";
import { createStateStore } from "../../src/session/state-store.ts";
import { addIdle } from "../support/stores.ts";
import { createDatabase, databaseRequests } from "../support/worker.ts";

const session = { ...unknownSession("a", "alice", undefined, new Date()), isDegraded: false };

let state: SessionState;
let degraded: SessionState;
beforeEach(async () => {
  const database = await createDatabase();
  await addIdle(database, "a");
  const connection = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  const store = createStateStore(connection, { timeoutMs: 60_000, maxLifetimeSeconds: null });
  state = createSessionState(store, session);
  degraded = createSessionState(store, { ...session, isDegraded: true });
});

/** What each way to it is refused with. The database is not asked. */
async function refusals(of: SessionState, key: string, value: unknown): Promise<Set<unknown>> {
  const before = await databaseRequests();
  const codes = await Promise.all(
    [of.set(key, value as never), of.update(key, () => value as never), of.get(key), of.delete(key)].map(
      async (asked) =>
        asked.then(
          () => "done",
          (error: unknown) => (error as { code: string }).code,
        ),
    ),
  );
  expect(await databaseRequests()).toBe(before);
  return new Set(codes);
}

test.each(["", "x".repeat(257), "a\0b", "a\ud800"])("no key: %j", async (key) => {
  expect(await refusals(state, key, 1)).toEqual(new Set(["not_storable"]));
  await expect(state.get(key)).rejects.toThrow(
    "A key must have 1 to 256 characters, without NUL and unpaired surrogates",
  );
});

test.each(["k", "x".repeat(256), "😀 é"])("a key: %s", async (key) => {
  expect(await state.set(key, 1)).toMatchObject({ version: 1 });
  expect(await state.get(key)).toEqual({ value: 1, version: 1 });
  expect(await state.delete(key)).toBe(true);
  expect(await state.delete(key)).toBe(false);
});

test("a degraded session is not asked for", async () => {
  expect(await refusals(degraded, "k", 1)).toEqual(new Set(["unavailable"]));
});

describe("a value", () => {
  // Its JSON is {"k":"…"}.
  const FITS = "x".repeat(65_536 - '{"k":""}'.length);

  test("that cannot be kept is not written", async () => {
    for (const write of [state.set("k", undefined as never), state.update("k", () => Number.NaN)])
      await expect(write).rejects.toMatchObject({ code: "not_storable" });
    await expect(state.set("k", { a: Number.NaN })).rejects.toThrow("value.a is NaN");
    expect(await state.get("k")).toBeUndefined();
  });

  test("of 64 KiB with its key is too large by one byte more", async () => {
    const before = await databaseRequests();
    await expect(state.set("k", `${FITS}x`)).rejects.toMatchObject({ code: "too_large" });
    await expect(state.set("k", ["x".repeat(70_000)])).rejects.toMatchObject({ code: "too_large" });
    expect(await databaseRequests()).toBe(before);
    // The database writes a space more, and has the last word.
    await expect(state.set("k", FITS)).rejects.toMatchObject({ code: "too_large" });
    expect(await databaseRequests()).toBe(before + 1);
    expect(await state.set("k", FITS.slice(1))).toMatchObject({ version: 1, sizeBytes: 65_536 });
  });
});

test("a change is made of what is there, and refused over another version", async () => {
  expect(await state.update("n", (value) => (value ?? 0) as number)).toEqual({ value: 0, version: 1 });
  expect(await state.update("n", (value) => (value as number) + 1)).toEqual({ value: 1, version: 2 });
  await expect(state.set("n", 5, { ifVersion: 1 })).rejects.toMatchObject({ code: "version_mismatch" });
  await expect(state.delete("n", { ifVersion: 1 })).rejects.toMatchObject({ code: "version_mismatch" });
  expect(await state.set("n", 5, { ifVersion: 2 })).toMatchObject({ version: 3 });
});
