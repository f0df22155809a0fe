// Tries mutants, one or two at once. Tests that have killed mutants of a file or of its room come first.
import type { Mutant } from "./mutant.ts";
import { probeOf, Reach } from "./reach.ts";
import { projectOf, type Room } from "./rooms.ts";
import { type Answer, type Result, Worker } from "./worker.ts";

/** Which tests have killed, and how long each took. */
class Experience {
  readonly #kills = new Map<string, number>();
  readonly #ms = new Map<string, number>();

  learn({ mutant }: Result, answer: Answer): void {
    if (answer.kind !== "failed") return;
    for (const where of [mutant.file, mutant.room]) {
      const key = `${where} ${answer.file}`;
      this.#kills.set(key, (this.#kills.get(key) ?? 0) + 1);
    }
  }

  time(ms: Record<string, number>): void {
    for (const [file, taken] of Object.entries(ms)) {
      this.#ms.set(file, Math.max(taken, this.#ms.get(file) ?? 0));
    }
  }

  /** The best chance for the time first; what has not killed yet keeps its order. */
  ordered({ file, room }: Mutant, tests: string[]): string[] {
    const kills = (where: string, test: string) => this.#kills.get(`${where} ${test}`) ?? 0;
    const worth = (test: string) =>
      // A kill in the same file says more than one in the same room.
      (4 * kills(file, test) + kills(room, test)) / (this.#ms.get(test) ?? 1000);
    return tests.toSorted((a, b) => worth(b) - worth(a));
  }

  // Another mutant may run at once, on a machine that does other things, too.
  limitMsOf = (test: string) => 30_000 + 10 * (this.#ms.get(test) ?? 60_000);
}

// To run all tests of a room once costs as much as one survivor.
const LEAST_FOR_REACH = 8;

const asOrders = (tests: string[]) => tests.map((file) => ({ project: projectOf(file), file }));

export interface Watcher {
  say: (line: string) => void;
  onResult: (result: Result) => void;
  signal: AbortSignal;
}

/**
 * Tries each mutant.
 * @throws Error when a test fails without a mutant, too.
 */
export async function tryAll(
  rooms: Room[],
  mutants: Mutant[],
  workerCount: number,
  { say, onResult, signal }: Watcher,
): Promise<void> {
  const experience = new Experience();
  const testsOf = new Map(
    rooms.flatMap((room) => room.files.map((file) => [file, room.testsOf(file)] as const)),
  );
  const queue = [...mutants];
  /** Tests that have passed, with a mutant or without. */
  const sound = new Set<string>();

  function learnFrom(answer: Answer): void {
    if (answer.kind !== "passed" && answer.kind !== "failed") return;
    experience.time(answer.ms);
    for (const file of Object.keys(answer.ms)) {
      if (answer.kind === "passed" || file !== answer.file) sound.add(file);
    }
  }

  /** A test that has never passed has killed nothing. */
  async function check(worker: Worker, test: string): Promise<void> {
    say(`without a mutant: ${test}`);
    const order = { changed: [test], isSql: false, tests: asOrders([test]) };
    const answer = await worker.follow(order, experience.limitMsOf);
    if (answer.kind !== "passed" && !signal.aborted)
      throw new Error(`${test} fails without a mutant: ${JSON.stringify(answer)}`);
    learnFrom(answer);
  }

  async function reachOf(worker: Worker, room: Room): Promise<Reach> {
    const probe = await probeOf(room.files);
    const reach = new Reach(probe);
    const tests = new Set(room.files.flatMap((file) => testsOf.get(file) ?? []));
    for (const test of [...tests].filter((file) => projectOf(file) === "worker")) {
      if (signal.aborted) break;
      say(`what it reaches: ${test}`);
      const order = { changed: room.files, isSql: false, tests: asOrders([test]) };
      const answer = await worker.with(probe.contents, () => worker.follow(order, experience.limitMsOf));
      // One that fails, such as by its cost, may reach anything.
      if (answer.kind === "passed") reach.learn(test, answer.reached);
      learnFrom(answer);
    }
    return reach;
  }

  const reaches = new Map<string, Promise<Reach>>();

  /** The tests to try, in their order. */
  async function testsFor(worker: Worker, mutant: Mutant): Promise<string[]> {
    const tests = testsOf.get(mutant.file) ?? [];
    const room = rooms.find(({ name }) => name === mutant.room);
    const isReachKnown = room?.files.every((file) => file.startsWith("src/")) === true;
    const isWorthIt = mutants.filter((other) => other.room === mutant.room).length >= LEAST_FOR_REACH;
    if (!isReachKnown || !isWorthIt) return experience.ordered(mutant, tests);
    const reach = reaches.get(room.name) ?? reachOf(worker, room);
    reaches.set(room.name, reach);
    return experience.ordered(mutant, (await reach).of(mutant, tests));
  }

  async function work(worker: Worker): Promise<void> {
    for (let mutant = queue.shift(); mutant !== undefined && !signal.aborted; mutant = queue.shift()) {
      const tests = await testsFor(worker, mutant);
      const [result, answer] = await worker.try(mutant, asOrders(tests), experience.limitMsOf);
      learnFrom(answer);
      if (answer.kind === "failed" && !sound.has(answer.file)) await check(worker, answer.file);
      // The end of a run ends its tests, which says nothing of the mutant.
      if (signal.aborted) return;
      experience.learn(result, answer);
      onResult(result);
    }
  }

  const workers = Array.from({ length: Math.min(workerCount, queue.length) }, () => new Worker());
  const end = () => Promise.all(workers.map((worker) => worker.end()));
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  try {
    await Promise.race([aborted, Promise.all(workers.map(work))]);
  } finally {
    await end();
  }
}
