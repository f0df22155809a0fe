// Which test files reach a mutant of the source. Each runs once, over source that counts what is reached: a test that
// does not come by a change cannot see it.
import { readFileSync } from "node:fs";
import type { Mutant } from "./mutant.ts";
import { instrument, type Placed } from "./source.ts";

export interface Probe {
  /** The instrumented files. */
  contents: Map<string, string>;
  placed: Placed[];
}

export async function probeOf(files: string[]): Promise<Probe> {
  return instrument(new Map(files.map((file) => [file, readFileSync(file, "utf8")])));
}

const contains = (outer: Placed, inner: Mutant) =>
  outer.file === inner.file && outer.start <= inner.start && outer.end >= inner.end;

/**
 * The ids of a probe one of which is reached whenever a mutant is: its own, or those of the smallest place around it.
 * None when nothing is around it: it is reached by whatever loads the file.
 */
export function idsFor(mutant: Mutant, placed: Placed[]): string[] {
  const around = placed.filter((place) => contains(place, mutant));
  const least = Math.min(...around.map(({ start, end }) => end - start));
  return around.filter(({ start, end }) => end - start === least).map(({ id }) => id);
}

export class Reach {
  readonly #placed: Placed[];
  readonly #reached = new Map<string, Set<string>>();

  constructor({ placed }: Probe) {
    this.#placed = placed;
  }

  learn(test: string, ids: string[]): void {
    this.#reached.set(test, new Set(ids));
  }

  /** Those of the tests that reach a mutant, and those of which it is not known. */
  of(mutant: Mutant, tests: string[]): string[] {
    const ids = idsFor(mutant, this.#placed);
    return tests.filter((test) => {
      const reached = this.#reached.get(test);
      return reached === undefined || ids.length === 0 || ids.some((id) => reached.has(id));
    });
  }
}
