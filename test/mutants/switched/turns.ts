// Tries mutants in few runs: the source has all of them in it, and they take turns while a test repeats.
import type { Mutant } from "../mutant.ts";
import type { SwitchOrder } from "../host.ts";
import type { Instrumented, Placed } from "../source.ts";
import type { Outcome, Result, Worker } from "../worker.ts";
import { Coverage, type CoveredTest, switchOf } from "./coverage.ts";
import type { Message, Plan } from "./messages.ts";
import { isRoutine, type Reach, type Replacement } from "./routines.ts";
import { nameOf, Rounds } from "./rounds.ts";
import type { Tries } from "./tries.ts";

// Most mutants are killed by one of a few cheap tests. One that makes a test wait is given up soon.
const PASSES = [
  { upToMs: 100, forMs: 500, timeoutMs: 10_000 },
  { upToMs: 1000, forMs: 5000, timeoutMs: 20_000 },
];
// Tests of a mutant in the first round of a pass. In each round after it there are three times as many.
const FEWEST = 3;

// Before its first try a round takes as long as a hundred. One with fewer pairs than these is left to the next pass.
const LEAST_PAIRS = 30;

const LAST_PASS = { upToMs: 2000, forMs: Number.POSITIVE_INFINITY, timeoutMs: 30_000 };

type Counts = Extract<Message, { kind: "covered" }>;

const COUNTING_TIMEOUT_MS = 60_000;

// Beside the time of one test: its hooks, and the start of the isolate.
const SILENCE_MS = 120_000;

export interface Progress {
  say: (line: string) => void;
  onResult: (result: Result) => void;
  signal: AbortSignal;
}

export class Turns {
  readonly #coverage: Coverage;
  readonly #testsOf: (mutant: Mutant) => string[];
  readonly #placed: Placed[];
  readonly #contents: Map<string, string>;
  readonly #tries: Tries;
  readonly #progress: Progress;
  readonly #alive: Map<string, Mutant>;
  readonly #rounds: Rounds;
  /** Mutants that PostgreSQL does not take while they take turns. */
  readonly #refused = new Set<string>();

  /** @param reach which files of routines are come by with these names in statements. */
  constructor(
    testsOf: (mutant: Mutant) => string[],
    mutants: Mutant[],
    { placed, contents }: Instrumented,
    reach: (names: readonly string[]) => Reach,
    tries: Tries,
    progress: Progress,
  ) {
    this.#tries = tries;
    this.#testsOf = testsOf;
    this.#placed = placed;
    this.#contents = contents;
    this.#progress = progress;
    this.#coverage = new Coverage(placed, reach);
    this.#rounds = new Rounds(this.#coverage, tries, testsOf);
    this.#alive = new Map(
      mutants.flatMap((mutant) => {
        const id = switchOf(mutant, placed);
        return id === undefined ? [] : [[id, mutant]];
      }),
    );
  }

  /** Which tests come by what. */
  async count(worker: Worker, files: string[], onCounted: (counts: Counts) => void): Promise<void> {
    let left = files;
    while (left.length > 0 && !this.#progress.signal.aborted) {
      this.#progress.say(`what ${left.length} test files come by`);
      const covered = new Set<string>();
      await this.#switch(worker, left, undefined, COUNTING_TIMEOUT_MS, (message) => {
        if (message.kind !== "covered") return;
        covered.add(message.file);
        onCounted(message);
        this.learn(message);
      });
      // Whatever is left, the run has ended with the first of it.
      left = left.filter((file) => !covered.has(file)).slice(1);
    }
  }

  learn(counts: Counts): void {
    this.#coverage.learn(counts);
  }

  /** What earlier runs have found, when all is counted. */
  learnResults(results: readonly Result[]): void {
    this.#rounds.learnResults(results);
  }

  /** Whether a test comes by a mutant, so that it can take turns. */
  isReached(mutant: Mutant): boolean {
    const id = switchOf(mutant, this.#placed);
    return id !== undefined && this.#coverage.testsBy(id).length > 0;
  }

  /** Tries the mutants with all workers at once. @param isBrief leaves it at a few cheap tests for each. */
  async try(workers: Worker[], isBrief: boolean): Promise<void> {
    const nth = new Map([...this.#alive.values()].map(({ id }, index) => [id, index]));
    const tryPart = (worker: Worker, own: number) =>
      this.#try(worker, ({ id }) => (nth.get(id) ?? 0) % workers.length === own, isBrief);
    await Promise.all(workers.map(tryPart));
  }

  async #try(worker: Worker, isPart: (mutant: Mutant) => boolean, isBrief: boolean): Promise<void> {
    for (const pass of isBrief ? PASSES : [...PASSES, LAST_PASS]) {
      for (let atMost = FEWEST; ; atMost *= 3) {
        if (this.#progress.signal.aborted) return;
        const own = [...this.#alive].filter(([id, mutant]) => isPart(mutant) && !this.#refused.has(id));
        const { files, pairs, plan } = this.#rounds.plan(own, { ...pass, atMost });
        if (pairs === 0 || (pairs < LEAST_PAIRS && atMost > FEWEST && pass !== LAST_PASS)) break;
        this.#progress.say(`${pairs} times a test of ${pass.upToMs} ms at most, ${this.#alive.size} alive`);
        await this.#pass(worker, files, plan, pass.timeoutMs);
      }
    }
  }

  /** The test files that are left to try for a mutant that was not killed. */
  filesLeft(mutant: Mutant): string[] {
    return this.#coverage.of(mutant, this.#testsOf(mutant), (test) => this.#tries.has(test, mutant));
  }

  async #pass(worker: Worker, files: string[], plan: Plan, timeoutMs: number): Promise<void> {
    const tests = new Map(this.#coverage.tests().map((test) => [test.id, test]));
    let trying: Extract<Message, { kind: "trying" }> | undefined;
    const about = (
      { test: testId, mutant: id }: { test: string; mutant: string | null },
      note: (test: CoveredTest, mutant: Mutant) => void,
    ) => {
      const [test, mutant] = [tests.get(testId), this.#alive.get(id ?? "")];
      if (test !== undefined && mutant !== undefined) note(test, mutant);
    };
    const answer = await this.#switch(worker, files, plan, timeoutMs, (message) => {
      if (message.kind === "trying") {
        const isOnceMore = message.mutant === null && message.test === trying?.test;
        if (trying !== undefined && !isOnceMore) about(trying, (...pair) => this.#tries.pass(...pair));
        trying = message;
        about(message, (...pair) => this.#tries.begin(...pair));
      } else if (message.kind === "killed") {
        this.#end(message.mutant, tests.get(message.test), message.isLate ? "timed out" : "killed");
      } else if (message.kind === "refused") {
        this.#refused.add(message.mutant);
      } else if (message.kind === "unsound") {
        about(message, (...pair) => this.#tries.doubt(...pair));
        if (message.mutant === null) this.#rounds.leaveOut(message.test);
      }
    });
    if (answer.kind === "hung" && trying !== undefined && !this.#progress.signal.aborted)
      this.#end(trying.mutant ?? "", tests.get(trying.test), "timed out");
    // A file whose hooks fail: its tests are for the runs of one mutant.
    if (trying === undefined) for (const test of Object.keys(plan)) this.#rounds.leaveOut(test);
  }

  #end(id: string, test: CoveredTest | undefined, outcome: Outcome): void {
    const mutant = this.#alive.get(id);
    if (mutant === undefined) return;
    this.#alive.delete(id);
    if (test !== undefined && outcome === "killed") this.#rounds.learnKill(test, mutant);
    this.#progress.onResult({ mutant, outcome, by: test === undefined ? "" : nameOf(test) });
  }

  async #switch(
    worker: Worker,
    files: string[],
    plan: Plan | undefined,
    timeoutMs: number,
    onMessage: (message: Message) => void,
  ) {
    const changed = [...this.#contents.keys()];
    const ids = new Set(Object.values(plan ?? {}).flatMap((queue) => queue.map(({ id }) => id)));
    const routines: Record<string, Replacement> = {};
    for (const place of this.#placed)
      if (isRoutine(place.file) && ids.has(place.id)) routines[place.id] = place;
    const order = { kind: "switch", changed, files, plan, routines, timeoutMs } satisfies SwitchOrder;
    return worker.with(this.#contents, () =>
      worker.follow(order, {
        limitMsOf: () => SILENCE_MS + 2 * timeoutMs,
        onSaid: (messages) => messages.forEach(onMessage),
      }),
    );
  }
}
