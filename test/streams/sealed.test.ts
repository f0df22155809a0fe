// What is sealed is opened by its keys, for its principal, in its time, and by nobody else. Pure but for the random numbers.
import { base64url } from "jose";
import { expect, test } from "vitest";
import { createSealer, type SealedState } from "../../src/streams/sealed.ts";

const NOW = new Date("2026-11-25T12:00:00.000Z");
const at = (ms: number) => new Date(NOW.getTime() + ms);
const sealer = (...keys: string[]) => createSealer(keys, () => NOW);
const oneKey = () => {
  const one = sealer("first");
  return {
    seal: async (given: SealedState, principal: string) => one.seal(given, principal),
    open: async (text: string, principal: string) => one.open(text, principal),
  };
};
const state: SealedState = { value: { price: 42 }, singleUse: "once", expiresAt: at(1000) };

test("it is opened as it was sealed", async () => {
  const { seal, open } = oneKey();
  expect(await open(await seal(state, "alice"), "alice")).toEqual(state);
});

test.each([null, 0, "", "a \u0000 é 🙂", [], { a: [{ b: null }] }])(
  "the value %j comes back",
  async (value) => {
    const { seal, open } = oneKey();
    const found = await open(await seal({ ...state, value, singleUse: undefined }, "alice"), "alice");
    expect(found).toEqual({ value, singleUse: undefined, expiresAt: state.expiresAt });
  },
);

test("it is opened until it expires, and not then; the expiry is one of whole seconds", async () => {
  const sealed = await sealer("first").seal({ ...state, expiresAt: at(1999) }, "alice");
  const openAt = (ms: number) => createSealer(["first"], () => at(ms)).open(sealed, "alice");
  expect(await openAt(999)).toMatchObject({ expiresAt: at(1000) });
  expect(await openAt(1000)).toBeUndefined();
});

test("only its principal opens it", async () => {
  const { seal, open } = oneKey();
  const sealed = await seal(state, "alice");
  for (const other of ["bob", "Alice", "alice ", ""]) expect(await open(sealed, other)).toBeUndefined();
});

test("the first key seals, and every key opens", async () => {
  const sealed = await sealer("new", "old").seal(state, "alice");
  expect(await sealer("new").open(sealed, "alice")).toEqual(state);
  expect(await sealer("old").open(sealed, "alice")).toBeUndefined();
  expect(await sealer("newer", "new").open(sealed, "alice")).toEqual(state);
  expect(await sealer().open(sealed, "alice")).toBeUndefined();
});

test("the same state is sealed as another text each time, which says nothing of it", async () => {
  const { seal } = oneKey();
  const texts = await Promise.all([seal(state, "alice"), seal(state, "alice")]);
  expect(new Set(texts).size).toBe(2);
  for (const text of texts) {
    expect(text).toMatch(/^[\w-]+$/);
    expect(new TextDecoder().decode(base64url.decode(text))).not.toContain("price");
  }
});

// A key's name of four bytes, 12 random bytes, the state, and a code of 16.
const places = [0, 3, 4, 15, 16, 17, -17, -16, -1];

test.each(places)(
  "with byte %d changed it is nobody's, and so is what is before that byte alone",
  async (place) => {
    const { seal, open } = oneKey();
    const bytes = base64url.decode(await seal(state, "alice"));
    const changed = bytes.map((byte, i) => (i === (place + bytes.length) % bytes.length ? byte ^ 1 : byte));
    for (const other of [changed, bytes.slice(0, place)])
      expect(await open(base64url.encode(other), "alice")).toBeUndefined();
  },
);

test.each(["", "a", "not base64url!", "=", "é", "a".repeat(10_000)])("%j was never sealed", async (text) => {
  expect(await sealer("first").open(text, "alice")).toBeUndefined();
});
