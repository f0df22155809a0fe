// A file of results, one JSON object a line, so that a run can be made in parts. A result counts while the mutated file and
// the tests that it comes from stay as they were; a change of another file of the source is not noticed. What tests come by
// stands in it, too: switched/kept-counts.ts.
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Mutant } from "./mutant.ts";
import type { Result } from "./worker.ts";

interface Line {
  id: string;
  room: string;
  file: string;
  line: string;
  change: string;
  outcome: Result["outcome"];
  by: string;
  /** Of the mutated file, and of the test that has killed it or of all that have not. */
  state: string;
}

export class ResultsFile {
  readonly #path: string;
  readonly #lines: object[];
  readonly #digests: Map<string, string>;

  /** @param files all files that are mutated, and all tests, as they are now: what is tried is a copy of this time. */
  constructor(path: string, files: string[]) {
    this.#path = path;
    this.#digests = new Map([...new Set(files)].map((file) => [file, digestOf(readFileSync(file, "utf8"))]));
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    this.#lines = text.split("\n").flatMap((line) => {
      try {
        return [JSON.parse(line) as object];
      } catch {
        // A run that was killed may have left half a line.
        return [];
      }
    });
  }

  /** The lines of one kind: those with a member that no other kind has. */
  of = <T extends object>(member: keyof T & string): T[] =>
    this.#lines.filter((line): line is T => member in line);

  add(line: object): void {
    appendFileSync(this.#path, `\n${JSON.stringify(line)}`);
  }

  digestOf = (file: string): string => this.#digests.get(file) ?? "";
}

export class Results {
  readonly #file: ResultsFile;
  readonly #testsOf: (mutant: Mutant) => string[];
  readonly #lines: Map<string, Line>;

  /** @param testsOf the test files that concern a mutant. */
  constructor(file: ResultsFile, testsOf: (mutant: Mutant) => string[]) {
    this.#file = file;
    this.#testsOf = testsOf;
    this.#lines = new Map(file.of<Line>("outcome").map((line) => [line.id, line]));
  }

  /** What an earlier run has found of a mutant, unless something has changed since. */
  of(mutant: Mutant): Result | undefined {
    const line = this.#lines.get(mutant.id);
    if (line === undefined) return undefined;
    const { outcome, by } = line;
    return line.state === this.#stateOf(mutant, outcome, by) ? { mutant, outcome, by } : undefined;
  }

  add({ mutant, outcome, by }: Result): void {
    const { id, room, file, line, change } = mutant;
    const entry: Line = {
      id,
      room,
      file,
      line,
      change,
      outcome,
      by,
      state: this.#stateOf(mutant, outcome, by),
    };
    this.#file.add(entry);
  }

  #stateOf(mutant: Mutant, outcome: Result["outcome"], by: string): string {
    const tests = outcome === "invalid" ? [] : this.#testsOf(mutant).toSorted();
    const killer = tests.filter((test) => outcome !== "survived" && by.startsWith(test));
    const files = [mutant.file, ...(killer.length > 0 ? killer : tests)];
    return digestOf(files.map((file) => `${file} ${this.#file.digestOf(file)}`).join("\n")).slice(0, 16);
  }
}

export const digestOf = (text: string) => createHash("sha256").update(text).digest("hex");
