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

/** The lines that have a member. A run that was killed may have left half a line, which is no JSON. */
export function linesOf<T extends object>(text: string, member: keyof T & string): T[] {
  return text.split("\n").flatMap((line) => {
    try {
      const value = JSON.parse(line) as T;
      return member in value ? [value] : [];
    } catch {
      return [];
    }
  });
}

export class Results {
  readonly #path: string;
  readonly #testsOf: (mutant: Mutant) => string[];
  /** Of files as they were at the start: what is tried is a copy of that time. */
  readonly #digests: Map<string, string>;
  readonly #lines = new Map<string, Line>();

  /**
   * @param testsOf the test files that concern a mutant.
   * @param files all files that are mutated, and all tests.
   */
  constructor(path: string, testsOf: (mutant: Mutant) => string[], files: string[]) {
    this.#path = path;
    this.#testsOf = testsOf;
    this.#digests = new Map([...new Set(files)].map((file) => [file, digestOf(readFileSync(file, "utf8"))]));
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    for (const line of linesOf<Line>(text, "id")) this.#lines.set(line.id, line);
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
    // A run that was killed may have left half a line.
    appendFileSync(this.#path, `\n${JSON.stringify(entry)}`);
  }

  #stateOf(mutant: Mutant, outcome: Result["outcome"], by: string): string {
    const tests = outcome === "invalid" ? [] : this.#testsOf(mutant).toSorted();
    const killer = tests.filter((test) => outcome !== "survived" && by.startsWith(test));
    const files = [mutant.file, ...(killer.length > 0 ? killer : tests)];
    return digestOf(files.map((file) => `${file} ${this.#digests.get(file)}`).join("\n")).slice(0, 16);
  }
}

export const digestOf = (text: string) => createHash("sha256").update(text).digest("hex");
