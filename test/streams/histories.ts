// Random histories of streams and questions: what runs at once in a round, one round after the other.
import * as fc from "fast-check";
import { vi } from "vitest";
import type { TestDatabase } from "../support/worker.ts";
import { History } from "./history.ts";
import { TTL_SECONDS } from "./stored.ts";

const kinds = [
  "call",
  "call",
  "call",
  "resume",
  "resume",
  "resume",
  "answer",
  "answer",
  "answer",
  "answer twice",
  "resume by another",
  "answer by another",
  "release",
  "cancel",
  "end",
  "age",
  "expire",
  "clean",
  "redeploy",
] as const;

const step = fc.record({
  does: fc.constantFrom(...kinds),
  of: fc.nat({ max: 50 }),
  at: fc.nat({ max: 50 }),
  mode: fc.constantFrom("stay", "leave", "close", "hold"),
  shape: fc.record({
    reports: fc.nat({ max: 2 }),
    rounds: fc.nat({ max: 2 }),
    width: fc.integer({ min: 1, max: 2 }),
  }),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
const histories = fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { minLength: 4, maxLength: 14 });

/** @returns how much of each kind has happened. @throws what does not hold. */
export async function playHistories(
  database: TestDatabase,
  numRuns: number,
): Promise<Record<string, number>> {
  const tried: Record<string, number> = {};
  let told = 0;
  const play = async (history: History, { does, of, at, mode, shape }: Step) => {
    const pick = <T>(list: readonly T[]) => list[of % Math.max(1, list.length)];
    const session = pick(history.sessions);
    const call = pick(history.calls);
    const question = history.questions.at(-1 - (of % Math.max(1, history.questions.length)));
    const another = history.sessions.find(
      (one) =>
        one !== (does.startsWith("answer") ? question?.call.session : call?.session) &&
        (at % 2 === 0 || one.principal === "bob"),
    );
    if (does === "call") return session && history.call(session, shape, mode);
    if (does === "redeploy") return history.redeploy();
    if (does === "clean") return history.clean();
    if (does === "age") return history.pass(46);
    if (does === "expire") return at % 3 === 0 ? history.pass(TTL_SECONDS + 1) : undefined;
    if (does === "end") return session && at % 3 === 0 ? history.end(session) : undefined;
    if (does.startsWith("answer")) {
      if (question === undefined) return;
      const by = does === "answer by another" ? another : question.call.session;
      if (by === undefined) return;
      const times = does === "answer twice" ? 2 : 1;
      await Promise.all(
        Array.from({ length: times }, () => history.answer(question, by, `answer ${++told}`)),
      );
      return;
    }
    if (call === undefined) return;
    if (does === "cancel") return at % 2 === 0 ? history.cancel(call) : undefined;
    if (does === "release") return history.release(call);
    const event = [...call.ids.keys()][at % Math.max(1, call.ids.size)] ?? 0;
    const by = does === "resume by another" ? another : call.session;
    if (by !== undefined) await history.resume(call, event, by);
  };
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    await fc.assert(
      fc.asyncProperty(histories, async (rounds) => {
        const history = new History(database, tried);
        await history.open();
        for (const round of rounds) {
          // Time passes for all of a round, before or after it.
          const passing = round.filter(({ does }) => does === "age" || does === "expire");
          for (const one of passing) await play(history, one);
          await Promise.all(round.filter((one) => !passing.includes(one)).map((one) => play(history, one)));
          await history.endRound();
        }
        await history.finish();
      }),
      // A smaller history than the one that has failed would take as long again, often.
      { numRuns, endOnFailure: true },
    );
  } finally {
    vi.useRealTimers();
  }
  return tried;
}
