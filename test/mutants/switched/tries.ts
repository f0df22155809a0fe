// Which tests have been tried with which mutants. That one has passed is kept in the file of results, and holds while the test
// file and the mutated file stay as they were.
import type { Mutant } from "../mutant.ts";
import type { ResultsFile } from "../results.ts";

interface Line {
  /** The id of the test. */
  passed: string;
  mutant: string;
  /** Of the test file and the mutated file. */
  state: string;
}

interface Test {
  id: string;
  file: string;
  /** What it takes when it is repeated. */
  ms: number;
}

// Its hooks, and what is said before it.
const OVERHEAD_MS = 10;

/** How long one try takes. */
export const costOf = ({ ms }: Pick<Test, "ms">): number => ms + OVERHEAD_MS;

export class Tries {
  readonly #file: ResultsFile | undefined;
  readonly #passedBefore: Set<string>;
  readonly #tried = new Set<string>();
  /** To be tried again, and first: the test failed without the mutant, too, after others. */
  readonly #doubtful = new Set<string>();
  readonly #spentMs = new Map<string, number>();

  /** @param file undefined when nothing is kept. */
  constructor(file: ResultsFile | undefined) {
    this.#file = file;
    this.#passedBefore = new Set(file?.of<Line>("passed").map((line) => keyOf(line)));
  }

  has = (test: Test, mutant: Mutant): boolean =>
    this.#tried.has(pairOf(test, mutant)) || this.#passedBefore.has(keyOf(this.#lineOf(test, mutant)));

  isDoubtful = (test: Test, mutant: Mutant): boolean => this.#doubtful.has(pairOf(test, mutant));

  /** How long a mutant has been tried in this run. */
  spentOn = (mutant: Mutant): number => this.#spentMs.get(mutant.id) ?? 0;

  begin(test: Test, mutant: Mutant): void {
    this.#tried.add(pairOf(test, mutant));
    this.#spentMs.set(mutant.id, this.spentOn(mutant) + costOf(test));
  }

  /** The test has passed with the mutant. */
  pass(test: Test, mutant: Mutant): void {
    this.#file?.add(this.#lineOf(test, mutant));
  }

  doubt(test: Test, mutant: Mutant): void {
    this.#doubtful.add(pairOf(test, mutant));
    this.#tried.delete(pairOf(test, mutant));
    this.#spentMs.set(mutant.id, this.spentOn(mutant) - costOf(test));
  }

  #lineOf(test: Test, mutant: Mutant): Line {
    const state = `${this.#file?.digestOf(test.file)}${this.#file?.digestOf(mutant.file)}`;
    return { passed: test.id, mutant: mutant.id, state };
  }
}

const pairOf = (test: Test, mutant: Mutant) => `${test.id} ${mutant.id}`;
const keyOf = ({ passed, mutant, state }: Line) => `${passed} ${mutant} ${state}`;
