// Whatever is interleaved: a task has one runner at a time and one end, and its answers are those of its owner.
import * as fc from "fast-check";
import { expect, inject, test } from "vitest";
import { connect } from "../../src/db/client.ts";
import { createDueStore } from "../../src/tasks/due-store.ts";
import { createTaskStore } from "../../src/tasks/store.ts";
import { createDatabase } from "../support/worker.ts";
import { History, type TaskModel, TTL_SECONDS } from "./history.ts";
import { endedTotals } from "./rows.ts";

const kinds = [
  "create",
  "create",
  "take",
  "take",
  "take",
  "take",
  "renew",
  "renew",
  "finish",
  "ask",
  "ask",
  "answer",
  "answer",
  "answer by another",
  "cancel",
  "cancel by another",
  "look",
  "due",
  "due",
  "a while",
  "a lease",
  "a lease",
  "expire",
  "clean",
] as const;

const step = fc.record({
  does: fc.constantFrom(...kinds),
  of: fc.nat({ max: 50 }),
  at: fc.nat({ max: 50 }),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
const histories = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 6, maxLength: 24 });

const seconds = { "a while": 5, "a lease": 40, expire: TTL_SECONDS + 1 };
const isPassing = (does: Step["does"]): does is keyof typeof seconds => does in seconds;

async function play(history: History, { does, of, at }: Step): Promise<void> {
  const last = <T>(list: readonly T[]) => list.at(-1 - (of % Math.min(3, Math.max(1, list.length))));
  const task = last(history.tasks);
  const run = last(history.runs);
  const another = (one: TaskModel) => (one.owner === "alice" ? "bob" : "alice");
  const retries = at % 3 === 0 ? "fail" : "retry";
  const ending = at % 4 === 0 ? "completed" : "failed";
  const verbs: Record<Step["does"], () => unknown> = {
    create: () => history.create(at % 2 === 0 ? "alice" : "bob", retries, 1 + (of % 3)),
    take: () => task && history.take(task),
    renew: () => run && history.renew(run),
    finish: () => run && at % 2 === 0 && history.finish(run, ending, 1 + (of % 2)),
    ask: () => run && history.ask(run, 1 + (at % 2)),
    answer: () => task && history.answer(task, task.owner, 1 + (at % 2)),
    "answer by another": () => task && history.answer(task, another(task), 2),
    cancel: () => task && at % 4 === 0 && history.cancel(task, at % 8 === 0 ? null : task.owner),
    "cancel by another": () => task && history.cancel(task, another(task)),
    look: () => task && history.look(task, at % 2 === 0 ? task.owner : another(task)),
    due: () => history.findDue(),
    clean: () => history.clean(),
    "a while": () => history.pass(seconds["a while"]),
    "a lease": () => history.pass(seconds["a lease"]),
    expire: () => at % 5 === 0 && history.pass(seconds.expire),
  };
  await verbs[does]();
}

test("over random interleavings of runners, clients, operators, expiry and cleanup", async () => {
  const database = await createDatabase();
  const connection = connect({ url: database.url, endpointOverride: inject("neonEndpoint") });
  const timeoutMs = 60_000;
  const store = createTaskStore(connection, { timeoutMs, maxPerPrincipal: 1000 });
  const due = createDueStore(connection, { timeoutMs });
  const tried: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(histories, async (rounds) => {
      const history = new History({ database, store, due, tried });
      for (const round of rounds) {
        // Time passes for all of a round.
        for (const one of round.filter(({ does }) => isPassing(does))) await play(history, one);
        await Promise.all(round.filter(({ does }) => !isPassing(does)).map((one) => play(history, one)));
        await history.endRound();
      }
      await history.end();
    }),
    { numRuns: 200, endOnFailure: true },
  );
  const totals = await endedTotals(database);
  expect(totals["tasks_created"]).toBe(tried["created"]);
  expect(totals["tasks_expired"]).toBe(tried["created"]);
  const ended = ["completed", "cancelled", "failed"].map((status) => totals[`tasks_ended/${status}`] ?? 0);
  const sum = ended.reduce((before, one) => before + one, 0);
  // Some have ended and were deleted before anybody looked.
  expect(sum).toBeGreaterThanOrEqual((tried["ended"] ?? 0) + (tried["lost"] ?? 0));
  expect(sum).toBeLessThanOrEqual(tried["created"] ?? 0);
  const what = "created taken busy over renewed finished asked answered cancelled due lost cleaned".split(
    " ",
  );
  for (const one of what)
    expect([one, tried[one] ?? 0], JSON.stringify(tried)).toEqual([
      one,
      expect.toSatisfy((count: number) => count > 5),
    ]);
});
