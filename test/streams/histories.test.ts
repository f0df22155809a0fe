// Whatever is interleaved: no event is lost or there twice, no answer is taken twice or of another, nothing comes back.
import { expect, test } from "vitest";
import { createDatabase } from "../support/worker.ts";
import { playHistories } from "./histories.ts";

test("over random interleavings of calls, answers, returns, cancellations, ends, expiry, cleanup and deploys", async () => {
  const tried = await playHistories(await createDatabase(), 100);
  // The histories were worth something.
  for (const what of [
    "stay",
    "leave",
    "close",
    "hold",
    "resumed",
    "resumed by another",
    "answered",
    "answered again",
    "answered by another",
    "answered calls",
    "cancelled",
    "ended",
    "expired",
    "aged",
    "cleaned",
  ])
    expect([what, tried[what] ?? 0], JSON.stringify(tried)).toEqual([
      what,
      expect.toSatisfy((count: number) => count > 5),
    ]);
});
