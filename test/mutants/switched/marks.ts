// Which statements of the routines a test comes by: while that is counted, each writes its number to the log of PostgreSQL first.
// Neither a rollback nor FOUND and ROW_COUNT change what is written, or are changed by it.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { statementsOf } from "../sql/statements.ts";

const MARK = /come by (mcp_[a-z_]+ \d+)/g;

export const markOf = (file: string, statement: number): string => `${basename(file, ".sql")} ${statement}`;

/** A routine that writes a mark before each of its statements. */
export function marked(file: string, text: string): string {
  const { starts } = statementsOf(text);
  const pieces = starts.map((start, i) => {
    const mark = `RAISE LOG 'come by ${markOf(file, i)}'; `;
    return mark + text.slice(start, starts[i + 1]);
  });
  return text.slice(0, starts[0]) + pieces.join("");
}

/** The marks of each test. Tests run one after the other. */
export class Marks {
  readonly #control: () => string;
  readonly #marks = new Map<string, Set<string>>();
  #test: string | undefined;
  #isOn = false;

  /** @param control the address of the control server, which is known when the tests run. */
  constructor(control: () => string) {
    this.#control = control;
  }

  /** @param files whose statements write marks from now on; none to end it. */
  async turnOn(files: string[]): Promise<void> {
    if (files.length === 0 && !this.#isOn) return;
    const originals = files.map((file) => [file, readFileSync(file, "utf8")] as const);
    const text = originals.map(([file, original]) => marked(file, original)).join("\n");
    const original = originals.map(([, own]) => own).join("\n");
    await this.#post("routine", { text: files.length > 0 ? text : null, original });
    this.#isOn = files.length > 0;
  }

  /** What was written until now belongs to the test before. @param test undefined for none. */
  async begin(test: string | undefined): Promise<void> {
    if (!this.#isOn) return;
    const written = (await (await this.#post("log", {})).json()) as string;
    const own = this.#marks.get(this.#test ?? "") ?? new Set();
    for (const [, mark = ""] of written.matchAll(MARK)) own.add(mark);
    if (this.#test !== undefined) this.#marks.set(this.#test, own);
    this.#test = test;
  }

  take(test: string): string[] {
    const own = this.#marks.get(test) ?? [];
    this.#marks.delete(test);
    return [...own];
  }

  #post = (action: string, body: object) =>
    fetch(`${this.#control()}/${action}`, { method: "POST", body: JSON.stringify(body) });
}
