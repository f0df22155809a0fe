// A change that begins again when another one came between.
import { afterEach, expect, test, vi } from "vitest";
import { repeatedChange } from "../../src/session/repeated-change.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test("it begins again with what another one has written", async () => {
  const seen: number[] = [];
  const written = await repeatedChange(1, async (current) => {
    seen.push(current);
    return current === 3 ? { written: `over ${current}` } : { current: current + 1 };
  });
  expect(written).toBe("over 3");
  expect(seen).toEqual([1, 2, 3]);
});

test("it gives up after a hundred attempts", async () => {
  vi.spyOn(Math, "random").mockReturnValue(0);
  let attempts = 0;
  expect(await repeatedChange(0, async () => ({ current: ++attempts }))).toBeUndefined();
  expect(attempts).toBe(100);
});

test("it waits below a limit that doubles, up to a quarter of a second", async () => {
  vi.spyOn(Math, "random").mockReturnValue(1);
  const waits: (number | undefined)[] = [];
  const later = globalThis.setTimeout;
  vi.spyOn(globalThis, "setTimeout").mockImplementation((work: () => void, ms?: number) => {
    waits.push(ms);
    return later(work, 0);
  });
  await repeatedChange(1, async (current) => (current === 9 ? { written: 0 } : { current: current + 1 }));
  expect(waits).toEqual([5, 10, 20, 40, 80, 160, 250, 250]);
});
