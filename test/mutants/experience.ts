// Which tests have killed, and how long each takes: for the order in which they are tried, and for when one counts as hung.
import type { Mutant } from "./mutant.ts";
import type { Answer, Result } from "./worker.ts";

type Ran = Extract<Answer, { kind: "passed" | "failed" }>;

export class Experience {
  readonly #kills = new Map<string, number>();
  readonly #ms = new Map<string, number>();

  learn({ mutant }: Result, answer: Answer): void {
    if (answer.kind !== "failed") return;
    for (const where of [mutant.file, mutant.room]) {
      const key = `${where} ${answer.file}`;
      this.#kills.set(key, (this.#kills.get(key) ?? 0) + 1);
    }
  }

  /** A file that failed ended early: it says nothing of how long all of it takes. */
  time(answer: Ran): void {
    for (const [file, taken] of Object.entries(answer.ms)) {
      if (answer.kind === "failed" && answer.file === file) continue;
      this.#ms.set(file, Math.max(taken, this.#ms.get(file) ?? 0));
    }
  }

  /**
   * The best chance for the time first; what has not killed yet keeps its order.
   * @param namesake the test that is about the file, which is before all others, whatever they have killed.
   */
  ordered({ file, room }: Mutant, tests: string[], namesake?: string): string[] {
    const kills = (where: string, test: string) => this.#kills.get(`${where} ${test}`) ?? 0;
    const worth = (test: string) => {
      if (test === namesake) return Number.MAX_VALUE;
      // A kill in the same file says more than one in the same room.
      return (4 * kills(file, test) + kills(room, test)) / (this.#ms.get(test) ?? 1000);
    };
    return tests.toSorted((a, b) => worth(b) - worth(a));
  }

  // Another mutant may run at once, on a machine that does other things, too.
  limitMsOf = (test: string) => 30_000 + 10 * (this.#ms.get(test) ?? 60_000);
}
