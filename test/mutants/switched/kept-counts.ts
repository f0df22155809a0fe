// What test files come by, kept in the file of results by the ids of the mutants, which stay the same while the files around them
// change. It holds while the test file stays as it was. In a file that has changed, a new mutant is come by with any other one.
import { mutantsOf } from "../mutant.ts";
import { digestOf, type ResultsFile } from "../results.ts";
import type { Placed } from "../source.ts";
import type { Covered, Message } from "./messages.ts";

type Counts = Extract<Message, { kind: "covered" }>;

/** How often, by the id of the mutant. */
type Hits = Record<string, number>;

interface Line {
  counted: string;
  /** Of the test file. */
  digest: string;
  /** Of each file whose mutants were counted. */
  sources: Record<string, string>;
  /** Of all routines: their statements are known by their numbers. */
  routines: string;
  tests: Covered[];
  loaded: string[];
}

export class KeptCounts {
  readonly #file: ResultsFile;
  readonly #sources: Record<string, string>;
  readonly #routines: string;
  readonly #isOfRoutines: boolean;
  /** Of each mutant, the ids in instrumented source; and back. */
  readonly #switches = new Map<string, string[]>();
  readonly #mutants = new Map<string, string>();
  readonly #fileOf = new Map<string, string>();
  readonly #lines: Map<string, Line>;
  /** Of each file, the mutants that no test is known to come by. */
  readonly #unknown: Map<string, string[]>;

  /**
   * @param sources the texts of the files that are instrumented.
   * @param routines the texts of all routines.
   */
  constructor(
    file: ResultsFile,
    sources: Map<string, string>,
    routines: Map<string, string>,
    placed: Placed[],
  ) {
    this.#file = file;
    this.#routines = digestOf(JSON.stringify([...routines]));
    this.#isOfRoutines = placed.some((place) => routines.has(place.file));
    this.#sources = Object.fromEntries([...sources.keys()].map((source) => [source, file.digestOf(source)]));
    for (const [source, text] of sources) this.#know(source, text, placed);
    this.#lines = new Map(file.of<Line>("counted").map((line) => [line.counted, line]));
    const lines = [...this.#lines.values()];
    const known = new Set(
      lines.flatMap(({ tests, loaded }) => [...tests.flatMap(({ hits }) => Object.keys(hits)), ...loaded]),
    );
    const unknown = [...this.#switches.keys()].filter((id) => !known.has(id));
    this.#unknown = Map.groupBy(unknown, (id) => this.#fileOf.get(id) ?? "");
  }

  #know(source: string, text: string, placed: Placed[]): void {
    const own = placed.filter((place) => place.file === source);
    for (const { id, start, end, replacement } of mutantsOf("", source, text, own)) {
      const same = own.filter(
        (place) => place.start === start && place.end === end && place.replacement === replacement,
      );
      this.#switches.set(
        id,
        same.map((place) => place.id),
      );
      this.#fileOf.set(id, source);
      for (const place of same) this.#mutants.set(place.id, id);
    }
  }

  /** What an earlier run has found of a test file, unless something has changed since. */
  of(test: string): Counts | undefined {
    const line = this.#lines.get(test);
    if (line === undefined || line.digest !== this.#file.digestOf(test)) return undefined;
    if (this.#isOfRoutines && line.routines !== this.#routines) return undefined;
    if (Object.keys(this.#sources).some((source) => !(source in line.sources))) return undefined;
    const tests = line.tests.map((own) => ({ ...own, hits: this.#here(own.hits, line) }));
    return {
      kind: "covered",
      file: test,
      tests,
      loaded: line.loaded.flatMap((id) => this.#switches.get(id) ?? []),
    };
  }

  add({ file, tests, loaded }: Counts): void {
    const line: Line = {
      counted: file,
      digest: this.#file.digestOf(file),
      sources: this.#sources,
      routines: this.#routines,
      tests: tests.map((test) => ({ ...test, hits: this.#anywhere(test.hits) })),
      loaded: Object.keys(this.#anywhere(Object.fromEntries(loaded.map((id) => [id, 1])))),
    };
    this.#file.add(line);
  }

  /** By the ids of this run. */
  #here(hits: Hits, { sources }: Line): Hits {
    const files = new Set(Object.keys(hits).map((id) => this.#fileOf.get(id) ?? ""));
    const changed = [...files].filter((file) => sources[file] !== this.#sources[file]);
    const others = changed.flatMap((file) => this.#unknown.get(file) ?? []);
    const all = [...Object.entries(hits), ...others.map((id) => [id, 1] as const)];
    return Object.fromEntries(
      all.flatMap(([id, count]) => (this.#switches.get(id) ?? []).map((place) => [place, count])),
    );
  }

  /** By the ids of the mutants. Names in statements tell which routines are come by, so those are left out. */
  #anywhere(hits: Hits): Hits {
    const found: Hits = {};
    for (const [place, count] of Object.entries(hits)) {
      const id = this.#mutants.get(place);
      if (id !== undefined) found[id] = count;
    }
    return found;
  }
}
