// Which tests the mutants are tried with next: the likeliest killers, and few of them, so that most mutants are killed before
// the others are due.
import type { Mutant } from "../mutant.ts";
import type { Result } from "../worker.ts";
import type { Coverage, CoveredTest } from "./coverage.ts";
import type { Plan } from "./messages.ts";
import { costOf, type Tries } from "./tries.ts";

export interface Limits {
  /** How long a test may take. */
  upToMs: number;
  /** How long a mutant may be tried in all, about. */
  forMs: number;
  /** Tests of each mutant. */
  atMost: number;
}

export interface Round {
  plan: Plan;
  files: string[];
  pairs: number;
}

// In characters: a few lines, such as a statement.
const BESIDE = 300;

/** A test, as results name it. */
export const nameOf = ({ file, name }: CoveredTest): string => `${file}: ${name}`;

const hitLimitOf = (hits: number) => 1000 + 100 * hits;

export class Rounds {
  readonly #coverage: Coverage;
  readonly #tries: Tries;
  readonly #testsOf: (mutant: Mutant) => string[];
  /** What has been killed in each file, by which test. */
  readonly #kills = new Map<string, { test: string; start: number }[]>();
  /** Tests that failed without a mutant. */
  readonly #unsound = new Set<string>();

  /** @param testsOf the test files that concern a mutant. */
  constructor(coverage: Coverage, tries: Tries, testsOf: (mutant: Mutant) => string[]) {
    this.#coverage = coverage;
    this.#tries = tries;
    this.#testsOf = testsOf;
  }

  /** What has killed one mutant of a file comes first for the others, and before all for those beside it. */
  learnKill(test: CoveredTest, { file, start }: Mutant): void {
    const kills = this.#kills.get(file) ?? [];
    this.#kills.set(file, kills);
    kills.push({ test: test.id, start });
  }

  /** What earlier runs have found. */
  learnResults(results: readonly Result[]): void {
    const tests = new Map(this.#coverage.tests().map((test) => [nameOf(test), test]));
    for (const { mutant, outcome, by } of results) {
      const test = outcome === "killed" ? tests.get(by) : undefined;
      if (test !== undefined) this.learnKill(test, mutant);
    }
  }

  /** A test that says nothing of any mutant. */
  leaveOut(testId: string): void {
    this.#unsound.add(testId);
  }

  /** @param alive by the ids in instrumented source. */
  plan(alive: [id: string, Mutant][], { upToMs, forMs, atMost }: Limits): Round {
    const canRepeat = ({ id, isSound, ms }: CoveredTest) => isSound && ms <= upToMs && !this.#unsound.has(id);
    const plan: Plan = {};
    const files = new Set<string>();
    let pairs = 0;
    for (const [id, mutant] of alive) {
      const concerned = new Set(this.#testsOf(mutant));
      const untried = this.#coverage
        .testsBy(id)
        .filter((test) => canRepeat(test) && concerned.has(test.file) && !this.#tries.has(test, mutant))
        .toSorted(this.#likeliestFirst(mutant));
      let leftMs = forMs - this.#tries.spentOn(mutant);
      for (const test of untried.slice(0, atMost)) {
        if (leftMs <= 0) break;
        leftMs -= costOf(test);
        const queue = (plan[test.id] ??= []);
        const turn = { id, hitLimit: hitLimitOf(test.hits[id] ?? 0) };
        if (this.#tries.isDoubtful(test, mutant)) queue.unshift(turn);
        else queue.push(turn);
        files.add(test.file);
        pairs += 1;
      }
    }
    return { plan, files: this.#coverage.cheapestFirst([...files]), pairs };
  }

  /**
   * The namesake of the file, what has killed others beside the mutant, then anywhere in the file, what is near its routine,
   * and what comes by few mutants.
   */
  #likeliestFirst(mutant: Mutant) {
    const [namesake] = this.#testsOf(mutant);
    const kills = this.#kills.get(mutant.file) ?? [];
    const isBeside = ({ start }: { start: number }) => Math.abs(start - mutant.start) <= BESIDE;
    const [beside, inFile] = [kills.filter(isBeside), kills].map((some) =>
      Map.groupBy(some, ({ test }) => test),
    );
    const rank = (test: CoveredTest) => [
      mutant.file.endsWith(".ts") && test.file === namesake ? 0 : 1,
      -(beside?.get(test.id)?.length ?? 0),
      -(inFile?.get(test.id)?.length ?? 0),
      test.far.get(mutant.file) ?? 0,
      test.breadth,
      test.ms,
    ];
    const ranks = new Map<string, number[]>();
    const rankOf = (test: CoveredTest) => {
      const known = ranks.get(test.id) ?? rank(test);
      ranks.set(test.id, known);
      return known;
    };
    return (a: CoveredTest, b: CoveredTest) => {
      const [ofA, ofB] = [rankOf(a), rankOf(b)];
      for (const [index, own] of ofA.entries()) {
        const difference = own - (ofB[index] ?? 0);
        if (difference !== 0) return difference;
      }
      return 0;
    };
  }
}
