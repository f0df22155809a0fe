// Which texts can name a principal.
import { expect, test } from "vitest";
import { principalName } from "../../src/auth/principal-name.ts";

const problemOf = (name: string) => principalName.safeParse(name).error?.issues[0]?.message;
// A character beyond 2^16.
const FAR = "😀";

test("any text that PostgreSQL can hold, up to 512 characters", () => {
  for (const name of ["a", " ", "ä", "person:1", "\u00a0", "x".repeat(512), FAR.repeat(512)])
    expect(problemOf(name)).toBeUndefined();
  for (const name of ["x".repeat(513), FAR.repeat(513), `${"x".repeat(512)}${FAR}`, "x".repeat(100_000)])
    expect(problemOf(name)).toBe("must be 512 characters at most");
  expect(problemOf("")).toBe("must not be empty");
  for (const control of ["\0", "\n", "\u001f", "\u007f", "\u0080", "\u009f"])
    for (const name of [control, `a${control}`, `${control}a`, `a${control}b`])
      expect(problemOf(name)).toBe("must have no control characters");
});
