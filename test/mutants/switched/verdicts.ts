// What the attempts of the tests of one file show of mutants. A test that fails with one runs once more without. When it
// passes then, the mutant was seen. When it does not, something is left behind: the test ends there, and the mutant was seen
// only when it was the test's first one, because without any it passes twice.
import type { RunnerTestCase } from "vitest";
import type { Message, Queue } from "./messages.ts";

/** What of a test of Vitest is read. */
type Test = Pick<RunnerTestCase, "id" | "result">;

interface Attempt {
  test: Test;
  mutant?: string | undefined;
  /** The second one without a mutant, after the one before has failed: with this mutant, or with none. */
  after?: { mutant: string | undefined; isLate: boolean };
}

export interface Beginning {
  /** The mutant to be active; undefined for an attempt without one. */
  mutant: Queue[number] | undefined;
  /** Nothing can be learnt from this test any more. */
  isOver: boolean;
  /** What the attempts before have shown. */
  messages: Message[];
}

export class Verdicts {
  #isSpoilt: boolean;
  readonly #over = new Set<string>();
  readonly #killed = new Set<string>();
  readonly #queues = new Map<string, Queue>();
  #last: Attempt | undefined;

  /** @param wasSpoilt by the files before, which share the isolate. */
  constructor(wasSpoilt: boolean) {
    this.#isSpoilt = wasSpoilt;
  }

  /** Whether a test has failed without a mutant: what it has left behind may be why others fail. */
  get isSpoilt(): boolean {
    return this.#isSpoilt;
  }

  /** How often a test is to be repeated, asked when it begins: others of the file may have killed some meanwhile. */
  repeatsOf(test: Test, planned: Queue): number {
    const queue = planned.filter(({ id }) => !this.#killed.has(id));
    this.#queues.set(test.id, queue);
    return queue.length;
  }

  /** An attempt begins. */
  begin(test: Test): Beginning {
    const failed = this.#failed(test);
    if (failed !== undefined) {
      this.#last = { test, after: failed };
      return { mutant: undefined, isOver: false, messages: [] };
    }
    const messages = this.end();
    const isOver = this.#over.has(test.id);
    const mutant = isOver ? undefined : this.#queues.get(test.id)?.[(test.result?.repeatCount ?? 0) - 1];
    this.#last = isOver ? undefined : { test, mutant: mutant?.id };
    return { mutant, isOver, messages };
  }

  /** What the last attempt has shown. */
  end(): Message[] {
    const { test, after } = this.#last ?? {};
    this.#last = undefined;
    if (test === undefined || after === undefined) return [];
    const { mutant, isLate } = after;
    const isSoundWithout = test.result?.attempts?.at(-1)?.state !== "fail";
    if (mutant !== undefined && (isSoundWithout || this.#isFirst(test, mutant))) {
      if (!isSoundWithout) this.#leave(test);
      this.#killed.add(mutant);
      return [{ kind: "killed", test: test.id, mutant, isLate }];
    }
    if (isSoundWithout) return [];
    // Whatever was left behind before may be why a test fails at once.
    const isToBlame = mutant !== undefined || !this.#isSpoilt;
    this.#leave(test);
    return isToBlame ? [{ kind: "unsound", test: test.id, mutant: mutant ?? null }] : [];
  }

  #isFirst = (test: Test, mutant: string) => this.#queues.get(test.id)?.[0]?.id === mutant;

  #leave(test: Test): void {
    this.#isSpoilt = true;
    this.#over.add(test.id);
  }

  /** The attempt before, when it has failed and this is to be the one after it. */
  #failed(test: Test): Attempt["after"] {
    if (this.#last?.test !== test || this.#last.after !== undefined) return undefined;
    const attempt = test.result?.attempts?.at(-1);
    if (attempt?.state !== "fail") return undefined;
    const isLate = /timed out in \d+ms/.test(attempt.errors?.[0]?.message ?? "");
    return { mutant: this.#last.mutant, isLate };
  }
}
