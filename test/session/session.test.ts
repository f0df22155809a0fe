// Ids, the keys and names that come from them, and what PostgreSQL can hold. Pure.
import { expect, test } from "vitest";
import {
  createSessionId,
  isSessionId,
  isStorable,
  keyOfSession,
  nameOfSession,
} from "../../src/session/session.ts";

test("an id is 256 random bits in base64url", () => {
  const ids = Array.from({ length: 2000 }, createSessionId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(isSessionId(id)).toBe(true);
  // Each of the 64 characters comes in 86,000 of them.
  expect(new Set(ids.join("")).size).toBe(64);
});

const id = createSessionId();

test.each([
  ["nothing", ""],
  ["a character less", id.slice(1)],
  ["one more", `${id}A`],
  ["one before it", `A${id}`],
  ["a line end", `${id}\n`],
  ["a space for a character", ` ${id.slice(1)}`],
  ["base64", `+${id.slice(1)}`],
  ["padding", `${id.slice(1)}=`],
  ["a letter that is not ASCII", `é${id.slice(1)}`],
])("%s is no id", (_, text) => {
  expect(isSessionId(text)).toBe(false);
});

test("the key is the SHA-256 of the id in hex, and its first eight characters are the name", async () => {
  const key = await keyOfSession("abc");
  expect(key).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(nameOfSession(key)).toBe("ba7816bf");
});

test.each<[value: unknown, can: boolean]>([
  ["é🙂", true],
  ["\\u0000", true],
  ["\\\\ud800", true],
  [{ a: ["\\", "u0000"] }, true],
  [{ "\\": "u0000" }, true],
  ["a\u0000", false],
  ["\\\u0000", false],
  ["\\\\\u0000", false],
  [{ "\u0000": 1 }, false],
  [["\ud800"], false],
  ["\udfff", false],
  ["\udbffa", false],
])("PostgreSQL can hold %j: %s", (value, can) => {
  expect(isStorable(value)).toBe(can);
});
