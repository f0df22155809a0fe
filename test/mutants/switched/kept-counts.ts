// What test files come by, kept in the file of results. It holds while the test file stays as it was, and each file of the source
// that is counted.
import type { ResultsFile } from "../results.ts";
import type { Placed } from "../source.ts";
import { isRoutine } from "./routines.ts";
import type { Covered, Message } from "./messages.ts";

type Counts = Extract<Message, { kind: "covered" }>;

/** By the file, and by which one of its places it is: ids change with the files that are instrumented. */
type Hits = Record<string, Record<number, number>>;

interface Line {
  counted: string;
  /** Of the test file, and of each file of the source. */
  digest: string;
  sources: Record<string, string>;
  tests: (Omit<Covered, "hits"> & { hits: Hits })[];
  loaded: Hits;
}

export class KeptCounts {
  readonly #file: ResultsFile;
  readonly #sources: Record<string, string>;
  readonly #places = new Map<string, Placed[]>();
  readonly #nth = new Map<string, { file: string; nth: number }>();
  readonly #lines: Map<string, Line>;

  /** @param sources the files that are instrumented. */
  constructor(file: ResultsFile, sources: string[], placed: Placed[]) {
    this.#file = file;
    this.#sources = Object.fromEntries(sources.map((source) => [source, file.digestOf(source)]));
    // Names in statements tell which routines are come by.
    const own = placed.filter((place) => !isRoutine(place.file));
    for (const [source, places] of Map.groupBy(own, (place) => place.file)) {
      this.#places.set(source, places);
      for (const [nth, { id }] of places.entries()) this.#nth.set(id, { file: source, nth });
    }
    this.#lines = new Map(file.of<Line>("counted").map((line) => [line.counted, line]));
  }

  /** What an earlier run has found of a test file, unless something has changed since. */
  of(test: string): Counts | undefined {
    const line = this.#lines.get(test);
    if (line === undefined || line.digest !== this.#file.digestOf(test)) return undefined;
    const { sources } = line;
    if (Object.entries(this.#sources).some(([source, digest]) => sources[source] !== digest))
      return undefined;
    const tests = line.tests.map((own) => ({ ...own, hits: this.#here(own.hits) }));
    return { kind: "covered", file: test, tests, loaded: Object.keys(this.#here(line.loaded)) };
  }

  add({ file, tests, loaded }: Counts): void {
    const line: Line = {
      counted: file,
      digest: this.#file.digestOf(file),
      sources: this.#sources,
      tests: tests.map((test) => ({ ...test, hits: this.#anywhere(test.hits) })),
      loaded: this.#anywhere(Object.fromEntries(loaded.map((id) => [id, 1]))),
    };
    this.#file.add(line);
  }

  #here(hits: Hits): Record<string, number> {
    const found: Record<string, number> = {};
    for (const [file, counts] of Object.entries(hits)) {
      for (const [nth, count] of Object.entries(counts)) {
        const place = this.#places.get(file)?.[Number(nth)];
        if (place !== undefined) found[place.id] = count;
      }
    }
    return found;
  }

  #anywhere(hits: Record<string, number>): Hits {
    const found: Hits = {};
    for (const [id, count] of Object.entries(hits)) {
      const place = this.#nth.get(id);
      if (place !== undefined) (found[place.file] ??= {})[place.nth] = count;
    }
    return found;
  }
}
