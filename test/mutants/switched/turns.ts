// Tries mutants in few runs: the source has all of them in it, and they take turns while a test repeats.
import type { Mutant } from "../mutant.ts";
import type { SwitchOrder } from "../host.ts";
import { projectOf } from "../rooms.ts";
import type { Instrumented, Placed } from "../source.ts";
import type { Outcome, Result, Worker } from "../worker.ts";
import { Coverage, type CoveredTest, switchOf } from "./coverage.ts";
import type { Message, Plan } from "./messages.ts";
import { isRoutine, type Replacement } from "./routines.ts";

// Most mutants are killed by one of a few cheap tests. One that makes a test wait is given up soon.
const PASSES = [
  { upToMs: 100, atMost: 8, timeoutMs: 10_000 },
  { upToMs: 1000, atMost: 16, timeoutMs: 20_000 },
];
const LAST_PASS = { upToMs: 2000, atMost: Number.POSITIVE_INFINITY, timeoutMs: 30_000 };

interface Pass {
  /** How long a test may take. */
  upToMs: number;
  /** How many tests a mutant has been tried with, at most, after this pass. */
  atMost: number;
  timeoutMs: number;
}

const COUNTING_TIMEOUT_MS = 60_000;

// Beside the time of one test: its hooks, and the start of the isolate.
const SILENCE_MS = 120_000;

const hitLimitOf = (hits: number) => 1000 + 100 * hits;

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
  readonly #routinesOf: (names: readonly string[]) => Set<string>;
  readonly #progress: Progress;
  readonly #alive: Map<string, Mutant>;
  /** Pairs of a test and a mutant. */
  readonly #tried = new Set<string>();
  /** How many tests a mutant has been tried with. */
  readonly #times = new Map<string, number>();
  /** Tests that failed without a mutant. */
  readonly #unsound = new Set<string>();
  /** Mutants that changed what tests after them find. */
  readonly #unclean = new Set<string>();

  /** @param routinesOf which files of routines are come by with these names in statements. */
  constructor(
    testsOf: (mutant: Mutant) => string[],
    mutants: Mutant[],
    { placed, contents }: Instrumented,
    routinesOf: (names: readonly string[]) => Set<string>,
    progress: Progress,
  ) {
    this.#testsOf = testsOf;
    this.#routinesOf = routinesOf;
    this.#placed = placed;
    this.#contents = contents;
    this.#progress = progress;
    this.#coverage = new Coverage(placed);
    this.#alive = new Map(
      mutants.flatMap((mutant) => {
        const id = switchOf(mutant, placed);
        return id === undefined ? [] : [[id, mutant]];
      }),
    );
  }

  /** Which tests come by what. */
  async count(worker: Worker, files: string[]): Promise<void> {
    let left = files;
    while (left.length > 0 && !this.#progress.signal.aborted) {
      this.#progress.say(`what ${left.length} test files come by`);
      const covered = new Set<string>();
      await this.#switch(worker, left, undefined, COUNTING_TIMEOUT_MS, (message) => {
        if (message.kind !== "covered") return;
        covered.add(message.file);
        // Those of Node have databases of their own.
        if (projectOf(message.file) === "worker")
          for (const test of message.tests) Object.assign(test.hits, this.#routineHits(test.names));
        this.#coverage.learn(message);
      });
      // Whatever is left, the run has ended with the first of it.
      left = left.filter((file) => !covered.has(file)).slice(1);
    }
  }

  /** Tries part of the mutants. */
  async try(worker: Worker, isPart: (mutant: Mutant) => boolean, isBrief: boolean): Promise<void> {
    for (const pass of isBrief ? PASSES : [...PASSES, LAST_PASS]) {
      for (;;) {
        if (this.#progress.signal.aborted) return;
        const { plan, files, pairs } = this.#plan(pass, isPart);
        if (pairs === 0) break;
        this.#progress.say(`${pairs} times a test of ${pass.upToMs} ms at most, ${this.#alive.size} alive`);
        await this.#pass(worker, files, plan, pass.timeoutMs);
      }
    }
  }

  /** The test files that are left to try for a mutant that was not killed. */
  filesLeft(mutant: Mutant): string[] {
    const id = switchOf(mutant, this.#placed);
    const isTried = (test: CoveredTest) => id !== undefined && this.#tried.has(pairOf(test.id, id));
    return this.#coverage.of(mutant, this.#testsOf(mutant), isTried);
  }

  #routineHits(names: readonly string[]): Record<string, number> {
    const routines = this.#routinesOf(names);
    return Object.fromEntries(this.#placed.filter(({ file }) => routines.has(file)).map(({ id }) => [id, 1]));
  }

  #plan({ upToMs, atMost }: Pass, isPart: (mutant: Mutant) => boolean) {
    const tests = this.#coverage
      .tests()
      .filter(({ id, isSound, ms }) => isSound && ms <= upToMs && !this.#unsound.has(id));
    const plan: Plan = {};
    const files = new Set<string>();
    let pairs = 0;
    for (const [id, mutant] of this.#alive) {
      if (!isPart(mutant) || this.#unclean.has(id)) continue;
      const concerned = new Set(this.#testsOf(mutant));
      const own = tests
        .filter(({ file, hits }) => id in hits && concerned.has(file))
        .toSorted(this.#likeliestFirst(mutant));
      const untried = own.filter((test) => !this.#tried.has(pairOf(test.id, id)));
      for (const test of untried.slice(0, Math.max(0, atMost - (this.#times.get(id) ?? 0)))) {
        (plan[test.id] ??= []).push({ id, hitLimit: hitLimitOf(test.hits[id] ?? 0) });
        files.add(test.file);
        pairs += 1;
      }
    }
    return { plan, files: this.#coverage.cheapestFirst([...files]), pairs };
  }

  /** A test that comes by few mutants is about them; so is the namesake. */
  #likeliestFirst(mutant: Mutant) {
    const [namesake] = this.#testsOf(mutant);
    const breadth = (test: CoveredTest) => (test.file === namesake ? 0 : Object.keys(test.hits).length);
    return (a: CoveredTest, b: CoveredTest) => breadth(a) - breadth(b) || a.ms - b.ms;
  }

  async #pass(worker: Worker, files: string[], plan: Plan, timeoutMs: number): Promise<void> {
    const names = new Map(this.#coverage.tests().map((test) => [test.id, test]));
    let trying: { test: string; mutant: string } | undefined;
    let hasBegun = false;
    const answer = await this.#switch(worker, files, plan, timeoutMs, (message) => {
      if (message.kind === "trying") {
        hasBegun = true;
        const { test, mutant } = message;
        trying = mutant === null ? undefined : { test, mutant };
        if (mutant === null) return;
        this.#tried.add(pairOf(test, mutant));
        this.#times.set(mutant, (this.#times.get(mutant) ?? 0) + 1);
      } else if (message.kind === "killed") {
        this.#end(message.mutant, names.get(message.test), message.isLate ? "timed out" : "killed");
      } else if (message.kind === "unsound") {
        const { test, mutant } = message;
        if (mutant === null) {
          this.#unsound.add(test);
          return;
        }
        this.#unclean.add(mutant);
        this.#tried.delete(pairOf(test, mutant));
      }
    });
    if (answer.kind === "hung" && trying !== undefined && !this.#progress.signal.aborted)
      this.#end(trying.mutant, names.get(trying.test), "timed out");
    // A file whose hooks fail: its tests are for the runs of one mutant.
    if (!hasBegun) for (const test of Object.keys(plan)) this.#unsound.add(test);
  }

  #end(id: string, test: CoveredTest | undefined, outcome: Outcome): void {
    const mutant = this.#alive.get(id);
    if (mutant === undefined) return;
    this.#alive.delete(id);
    this.#progress.onResult({ mutant, outcome, by: `${test?.file}: ${test?.name}` });
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

const pairOf = (test: string, mutant: string) => `${test} ${mutant}`;
