// Which texts can be the id of a handle.
import { expect, test } from "vitest";
import { createHandleId, isHandleId, keyOfHandle, nameOfHandle } from "../../src/handles/handle-id.ts";

test("a new id is one of its own", () => {
  const ids = Array.from({ length: 1000 }, createHandleId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(isHandleId(id)).toBe(true);
});

const id = "0123abcd-4567-4abc-9def-0123456789ab";

test.each(["8", "9", "a", "b"])("its variant is %s", (variant) => {
  expect(isHandleId(`0123abcd-4567-4abc-${variant}def-0123456789ab`)).toBe(true);
});

test.each([
  "",
  `x${id}`,
  `${id}0`,
  `${id}\n`,
  id.toUpperCase(),
  id.replaceAll("-", ""),
  // Each part: too short, or of other characters.
  "123abcd-4567-4abc-9def-0123456789ab",
  "g123abcd-4567-4abc-9def-0123456789ab",
  "0123abcd-567-4abc-9def-0123456789ab",
  "0123abcd-g567-4abc-9def-0123456789ab",
  "0123abcd-4567-4bc-9def-0123456789ab",
  "0123abcd-4567-4gbc-9def-0123456789ab",
  "0123abcd-4567-1abc-9def-0123456789ab",
  "0123abcd-4567-4abc-cdef-0123456789ab",
  "0123abcd-4567-4abc-9ef-0123456789ab",
  "0123abcd-4567-4abc-9gef-0123456789ab",
  "0123abcd-4567-4abc-9def-123456789ab",
  "0123abcd-4567-4abc-9def-g123456789ab",
])("%j is none", (text) => {
  expect(isHandleId(text)).toBe(false);
});

test("its key is its SHA-256, and its name the first eight characters of that", async () => {
  const key = await keyOfHandle("abc");
  expect(key).toMatch(/^ba7816bf[0-9a-f]{56}$/);
  expect(nameOfHandle(key)).toBe("ba7816bf");
});
