// What tools can do with handles, and what they cannot.
import { expect, test } from "vitest";
import { createHandleId, keyOfHandle } from "../../src/handles/handle-id.ts";
import { createOwnHandles } from "../../src/handles/own-handles.ts";
import type { HandleErrorCode, Json } from "../../src/mcp/context.ts";
import { keepSecret } from "../support/captured-logs.ts";
import { databaseRequests } from "../support/worker.ts";
import { LIMIT_BYTES, stored, TTL_SECONDS } from "./stored.ts";

const refusedAs = (code: HandleErrorCode) => expect.objectContaining({ name: "HandleError", code });
const seconds = (time: Date) => Math.round((time.getTime() - Date.now()) / 1000 / 30) * 30;

test.each<Json>([
  null,
  false,
  0,
  "",
  "é🙂\u2028\\u0041",
  [],
  {},
  { __proto__x: 1, constructor: [{}], "": null },
  JSON.parse('{"__proto__":{"a":1}}'),
  [[[1.5e-300, -1, 9_007_199_254_740_991]]],
])("the value %j comes back as it was", async (value) => {
  const { own } = await stored();
  const handles = own("alice");
  const { handle, version } = await handles.make("any", value);
  expect(version).toBe(1);
  keepSecret(handle);
  expect(await handles.read(handle)).toEqual({ kind: "any", value, version: 1, expiresAt: expect.any(Date) });
  await handles.change(handle, [value]);
  expect((await handles.read(handle))?.value).toEqual([value]);
});

test("a handle lives as long as its tool says, and its principal alone has it", async () => {
  const { own, pass } = await stored();
  const [alice, bob] = [own("alice"), own("bob")];
  const usual = await alice.make("a", 1);
  const long = await alice.make("b", 1, { ttlSeconds: 3600, sliding: true });
  expect([seconds(usual.expiresAt), seconds(long.expiresAt)]).toEqual([TTL_SECONDS, 3600]);
  for (const { handle } of [usual, long]) {
    keepSecret(handle);
    expect(await bob.read(handle)).toBeUndefined();
    await expect(bob.change(handle, 2)).rejects.toEqual(refusedAs("unknown_handle"));
    await expect(bob.update(handle, () => 2)).rejects.toEqual(refusedAs("unknown_handle"));
    expect(await bob.end(handle)).toBe(false);
  }
  expect(await bob.list()).toEqual([]);
  expect((await alice.list()).map(({ kind }) => kind).toSorted()).toEqual(["a", "b"]);
  expect(await alice.list({ kind: "a" })).toHaveLength(1);
  // A use moves nothing, unless its tool has said so.
  await pass(TTL_SECONDS / 2);
  expect(await alice.read(usual.handle)).toMatchObject({ value: 1 });
  await pass(TTL_SECONDS / 2);
  expect(await alice.read(usual.handle)).toBeUndefined();
  expect(await alice.read(long.handle)).toMatchObject({ value: 1 });
  expect(await alice.end(long.handle)).toBe(true);
  expect(await alice.end(long.handle)).toBe(false);
});

test("every refusal of a handle that is not there is the same", async () => {
  const { own, pass } = await stored();
  const handles = own("alice");
  const expired = keepSecret((await handles.make("a", 1, { ttlSeconds: 1 })).handle);
  await pass(1);
  const ended = keepSecret((await handles.make("a", 1)).handle);
  await handles.end(ended);
  const foreign = keepSecret((await own("bob").make("a", 1)).handle);
  const refusals = await Promise.all(
    [expired, ended, foreign, keepSecret(createHandleId()), "x"].map((handle) =>
      handles.change(handle, 1).catch((error: unknown) => JSON.stringify([error, String(error)])),
    ),
  );
  expect(new Set(refusals).size).toBe(1);
});

test("what has not the form of an id is unknown without a query", async () => {
  const { own } = await stored();
  const handles = own("alice");
  const { handle } = await handles.make("a", 1);
  keepSecret(handle);
  const before = await databaseRequests();
  for (const id of [
    "",
    "x",
    `${handle} `,
    `${handle}\n`,
    handle.toUpperCase(),
    handle.replaceAll("-", ""),
    "\0",
    "\ud800",
    "x".repeat(1_000_000),
  ]) {
    expect(await handles.read(id)).toBeUndefined();
    await expect(handles.change(id, 2)).rejects.toEqual(refusedAs("unknown_handle"));
    await expect(handles.update(id, () => 2)).rejects.toEqual(refusedAs("unknown_handle"));
    expect(await handles.end(id)).toBe(false);
  }
  expect((await databaseRequests()) - before).toBe(0);
});

test.each([
  ["too_large", "x".repeat(LIMIT_BYTES - 1)],
  ["too_large", "é".repeat(LIMIT_BYTES / 2)],
  ["too_large", Array.from({ length: LIMIT_BYTES }, () => 0)],
  ["not_storable", "\0"],
  ["not_storable", "\ud800"],
  ["not_storable", { "\0": 1 }],
  ["not_storable", Number.NaN],
  ["not_storable", -0],
  ["not_storable", 2 ** 60],
  ["not_storable", undefined as unknown as Json],
  ["not_storable", new Date() as unknown as Json],
] as const)("%s: such a value changes nothing, and no query is made", async (code, value) => {
  const { own } = await stored();
  const handles = own("alice");
  const { handle } = await handles.make("a", "x".repeat(LIMIT_BYTES - 2));
  keepSecret(handle);
  const before = await databaseRequests();
  await expect(handles.make("a", value)).rejects.toEqual(refusedAs(code));
  await expect(handles.change(handle, value)).rejects.toEqual(refusedAs(code));
  expect((await databaseRequests()) - before).toBe(0);
  await expect(handles.update(handle, () => value)).rejects.toEqual(refusedAs(code));
  expect(await handles.read(handle)).toMatchObject({ version: 1 });
  expect(await handles.list()).toHaveLength(1);
});

test("a kind has 1 to 64 characters, and a life a whole number of seconds", async () => {
  const { own } = await stored();
  const handles = own("alice");
  for (const kind of ["", "x".repeat(65), "\0", "\ud800"]) {
    await expect(handles.make(kind, 1)).rejects.toEqual(refusedAs("not_storable"));
    await expect(handles.list({ kind })).rejects.toEqual(refusedAs("not_storable"));
  }
  for (const ttlSeconds of [0, -1, 1.5, Number.NaN, Infinity, 315_360_001])
    await expect(handles.make("a", 1, { ttlSeconds })).rejects.toThrow(RangeError);
  expect(await handles.list()).toEqual([]);
  await handles.make("é".repeat(64), 1, { ttlSeconds: 315_360_000 });
  expect(await handles.list()).toHaveLength(1);
});

test("a hundred updates at once lose nothing", async () => {
  const { own } = await stored();
  const handles = own("alice");
  const { handle } = await handles.make("counter", 0);
  keepSecret(handle);
  const entries = await Promise.all(
    Array.from({ length: 100 }, () => handles.update(handle, ({ value }) => Number(value) + 1)),
  );
  const values = entries.map(({ value }) => Number(value)).toSorted((a, b) => a - b);
  expect(values).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  for (const { value, version } of entries) expect(version).toBe(Number(value) + 1);
  expect(await handles.read(handle)).toMatchObject({ value: 100, version: 101 });
});

test("an update that throws changes nothing, and one of an older version is refused", async () => {
  const { own } = await stored();
  const handles = own("alice");
  const { handle, version } = await handles.make("a", 1);
  keepSecret(handle);
  const failing = handles.update(handle, () => {
    throw new Error("No");
  });
  await expect(failing).rejects.toThrow("No");
  expect(await handles.change(handle, 2, { ifVersion: version })).toMatchObject({ version: 2 });
  await expect(handles.change(handle, 3, { ifVersion: version })).rejects.toEqual(
    refusedAs("version_mismatch"),
  );
  expect(await handles.read(handle)).toMatchObject({ value: 2, version: 2 });
});

test("a handle that is ended before an update is written is not there any more", async () => {
  const { own, store } = await stored();
  const handles = own("alice");
  const { handle } = await handles.make("a", 1);
  const key = await keyOfHandle(keepSecret(handle));
  // Between its read and its write.
  const ending = createOwnHandles(
    {
      store: {
        ...store,
        async change(...change) {
          await handles.end(handle);
          return store.change(...change);
        },
      },
      ttlSeconds: TTL_SECONDS,
      limitBytes: LIMIT_BYTES,
    },
    "alice",
  );
  await expect(ending.update(handle, ({ value }) => value)).rejects.toEqual(refusedAs("unknown_handle"));
  expect(await store.read(key, "alice")).toBeUndefined();
});
