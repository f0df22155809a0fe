// Whatever is interleaved: no change is lost or made twice, nothing comes back, nobody has what is another's, and no principal has too
// many.
import * as fc from "fast-check";
import { beforeEach, expect, test, vi } from "vitest";
import { History, historyStore, principals } from "./history.ts";
import { TTL_SECONDS } from "./stored.ts";

// The shortest delays between attempts.
beforeEach(() => {
  vi.spyOn(Math, "random").mockReturnValue(0);
});

const kinds = [
  "make",
  "make",
  "make",
  "update",
  "update",
  "update",
  "change",
  "change",
  "change",
  "end",
  "end by operator",
  "intrude",
  "clean",
  "lose",
  "age",
  "expire",
] as const;
const step = fc.record({
  does: fc.constantFrom(...kinds),
  by: fc.constantFrom(...principals),
  of: fc.nat({ max: 50 }),
  isSliding: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
const histories = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 6, maxLength: 20 });
const routines = ["mcp_make_handle", "mcp_read_handle", "mcp_change_handle", "mcp_end_handle"];

const passing = ["age", "expire", "lose"];

async function play(history: History, { does, by, of, isSliding }: Step): Promise<void> {
  if (does === "age") return history.pass(TTL_SECONDS / 2);
  if (does === "expire") return of % 4 === 0 ? history.pass(TTL_SECONDS + 1) : undefined;
  if (does === "lose") return history.lose(routines[of % routines.length] ?? "");
  if (does === "clean") return history.clean();
  if (does === "make") return history.make(by, isSliding);
  const handle = history.handles.at(-1 - (of % Math.max(1, Math.min(8, history.handles.length))));
  if (handle === undefined) return undefined;
  if (does === "update") return history.update(handle);
  if (does === "change") return history.change(handle);
  if (does === "intrude") return history.intrude(handle);
  return history.endBy(handle, does === "end" ? "owner" : "operator");
}

test("over random interleavings of makings, changes, ends, expiry, cleanup and lost answers", async () => {
  const tried: Record<string, number> = {};
  const store = await historyStore();
  await fc.assert(
    fc.asyncProperty(histories, async (rounds) => {
      const history = await History.of(store, tried);
      for (const round of rounds) {
        for (const one of round.filter(({ does }) => passing.includes(does))) await play(history, one);
        const together = round.filter(({ does }) => !passing.includes(does));
        for (const { does, by } of together) if (does === "make") history.expectMade(by);
        await Promise.all(together.map((one) => play(history, one)));
        await history.endRound();
      }
    }),
    // Of a hundred, one in some dozens has too few handles that were given up.
    { numRuns: 200, endOnFailure: true },
  );
  // The histories were worth something.
  for (const what of [
    "made",
    "read",
    "updated",
    "changed",
    "came too late",
    "not read",
    "not updated",
    "ended by owner",
    "ended by operator",
    "lost to a newer one, or ended",
    "intruded",
    "cleaned",
    "lost",
    "expired",
  ])
    expect([what, tried[what] ?? 0], JSON.stringify(tried)).toEqual([
      what,
      expect.toSatisfy((count: number) => count > 5),
    ]);
});
