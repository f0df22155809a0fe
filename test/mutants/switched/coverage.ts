// Which tests come by which mutants of a room, and which test files are left to try for a mutant after all that.
import type { Mutant } from "../mutant.ts";
import { projectOf } from "../rooms.ts";
import type { Placed } from "../source.ts";
import type { Covered, Message } from "./messages.ts";
import type { Reach } from "./routines.ts";

export interface CoveredTest extends Covered {
  file: string;
  /** How many mutants it comes by. */
  breadth: number;
  /** The routines that it comes by, and how far each is. */
  far: Reach;
}

const contains = (outer: Placed, inner: Mutant) =>
  outer.file === inner.file && outer.start <= inner.start && outer.end >= inner.end;

/**
 * The ids in instrumented source one of which is come by whenever a mutant is: its own, or those of the smallest place
 * around it. None when nothing is around it: whatever loads the file comes by.
 */
export function idsFor(mutant: Mutant, placed: Placed[]): string[] {
  const around = placed.filter((place) => contains(place, mutant));
  const least = Math.min(...around.map(({ start, end }) => end - start));
  return around.filter(({ start, end }) => end - start === least).map(({ id }) => id);
}

/** The id by which instrumented source knows a mutant; undefined for one that is not in it. */
export const switchOf = (mutant: Mutant, placed: Placed[]): string | undefined =>
  placed.find(
    ({ file, start, end, replacement }) =>
      file === mutant.file &&
      start === mutant.start &&
      end === mutant.end &&
      replacement === mutant.replacement,
  )?.id;

export class Coverage {
  readonly #placed: Placed[];
  readonly #placedIn: Map<string, Placed[]>;
  readonly #reach: (names: readonly string[]) => Reach;
  readonly #tests = new Map<string, CoveredTest[]>();
  /** What was come by outside of tests. */
  readonly #loaded = new Set<string>();
  /** The tests that come by each mutant; undefined when a file has been learned since. */
  #byMutant: Map<string, CoveredTest[]> | undefined;

  /** @param reach which files of routines are come by with these names in statements. */
  constructor(placed: Placed[], reach: (names: readonly string[]) => Reach = () => new Map()) {
    this.#placed = placed;
    this.#placedIn = Map.groupBy(placed, ({ file }) => file);
    this.#reach = reach;
  }

  learn({ file, tests, loaded }: Extract<Message, { kind: "covered" }>): void {
    this.#tests.set(
      file,
      tests.map((test) => this.#covered(test, file)),
    );
    this.#byMutant = undefined;
    for (const id of loaded) this.#loaded.add(id);
  }

  #covered(test: Covered, file: string): CoveredTest {
    // Tests in Node have databases of their own, in which no routine is replaced.
    const far: Reach = projectOf(file) === "worker" ? this.#reach(test.names) : new Map();
    const hits = { ...test.hits };
    for (const routine of far.keys())
      for (const { id, mark } of this.#placedIn.get(routine) ?? [])
        if (mark === undefined || test.marks.includes(mark)) hits[id] = 1;
    return { ...test, file, hits, breadth: Object.keys(hits).length, far };
  }

  tests = (): CoveredTest[] => [...this.#tests.values()].flat();

  /** @param id as instrumented source knows it. */
  testsBy(id: string): CoveredTest[] {
    this.#byMutant ??= this.#index();
    return this.#byMutant.get(id) ?? [];
  }

  #index(): Map<string, CoveredTest[]> {
    const found = new Map<string, CoveredTest[]>();
    for (const test of this.tests()) {
      for (const id in test.hits) {
        const known = found.get(id);
        if (known === undefined) found.set(id, [test]);
        else known.push(test);
      }
    }
    return found;
  }

  cheapestFirst = (files: string[]): string[] => files.toSorted((a, b) => this.#cost(a) - this.#cost(b));

  #cost = (file: string): number =>
    (this.#tests.get(file) ?? []).reduce((sum, { firstMs }) => sum + firstMs, 0);

  /** Test files that come by what else is in a file, then others; those of which nothing is known stay where they are. */
  #likeliestFirst(source: string, files: string[]): string[] {
    const ids = this.#placed.filter(({ file }) => file === source).map(({ id }) => id);
    const known = files.filter((file) => this.#tests.has(file));
    const isNear = (file: string) =>
      this.#tests.get(file)?.some(({ hits }) => ids.some((id) => id in hits)) === true;
    const near = this.cheapestFirst(known.filter(isNear));
    const sorted = [...near, ...this.cheapestFirst(known.filter((file) => !near.includes(file)))];
    return files.map((file) => (this.#tests.has(file) ? (sorted.shift() ?? file) : file));
  }

  /** Whether a mutant does something where no test runs, such as when its module is loaded. */
  isLoaded(mutant: Mutant): boolean {
    const ids = idsFor(mutant, this.#placed);
    return ids.length === 0 || ids.some((id) => this.#loaded.has(id));
  }

  /**
   * The test files that may see a mutant.
   * @param isTried whether a test that comes by it has been tried already.
   */
  of(mutant: Mutant, files: string[], isTried: (test: CoveredTest) => boolean = () => false): string[] {
    if (this.isLoaded(mutant)) return this.#likeliestFirst(mutant.file, files);
    const ids = idsFor(mutant, this.#placed);
    return files.filter((file) => {
      const tests = this.#tests.get(file);
      return tests === undefined || tests.some((test) => ids.some((id) => id in test.hits) && !isTried(test));
    });
  }
}
