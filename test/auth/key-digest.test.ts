// The digest of a key, from the key or as it was configured.
import { expect, test } from "vitest";
import { digestOf, fromHex } from "../../src/auth/key-digest.ts";

// FIPS 180-2, appendix B.1.
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

test("two digits are a byte", () => {
  expect(fromHex("00fF7a")).toEqual(new Uint8Array([0, 255, 122]));
  expect(fromHex("")).toEqual(new Uint8Array());
  expect(fromHex(ABC)).toHaveLength(32);
});

test("a key has the digest that is configured in its place", async () => {
  expect(await digestOf({ key: "abc" })).toEqual(fromHex(ABC));
  expect(await digestOf({ sha256: ABC })).toEqual(fromHex(ABC));
});
