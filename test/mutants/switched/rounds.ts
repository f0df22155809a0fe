// Which tests the mutants are tried with next: the likeliest killers, and few of them, so that most mutants are killed before
// the others are due.
import type { Mutant } from "../mutant.ts";
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

const hitLimitOf = (hits: number) => 1000 + 100 * hits;

export class Rounds {
  readonly #coverage: Coverage;
  readonly #tries: Tries;
  readonly #testsOf: (mutant: Mutant) => string[];
  /** How many mutants of a file each test has killed. */
  readonly #kills = new Map<string, number>();
  /** Tests that failed without a mutant. */
  readonly #unsound = new Set<string>();

  /** @param testsOf the test files that concern a mutant. */
  constructor(coverage: Coverage, tries: Tries, testsOf: (mutant: Mutant) => string[]) {
    this.#coverage = coverage;
    this.#tries = tries;
    this.#testsOf = testsOf;
  }

  /** What has killed one mutant of a file comes first for the others. */
  learnKill(test: CoveredTest, mutant: Mutant): void {
    const key = killsKey(test, mutant);
    this.#kills.set(key, (this.#kills.get(key) ?? 0) + 1);
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

  /** The namesake of the file, what has killed others of it, what is near its routine, and what comes by few mutants. */
  #likeliestFirst(mutant: Mutant) {
    const [namesake] = this.#testsOf(mutant);
    const rank = (test: CoveredTest) => [
      mutant.file.endsWith(".ts") && test.file === namesake ? 0 : 1,
      -(this.#kills.get(killsKey(test, mutant)) ?? 0),
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

const killsKey = (test: CoveredTest, mutant: Mutant) => `${mutant.file} ${test.id}`;
