// Mutants of the routines take turns as well: a routine is replaced in the databases of the tests while its mutant is active.
// Which tests come by a routine is told by the names in the statements that they send, and by the marks of its own statements.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { applied, type Change, type Mutant } from "../mutant.ts";
import type { Placed } from "../source.ts";
import { statementsOf } from "../sql/statements.ts";
import { markOf } from "./marks.ts";

export const isRoutine = (file: string): boolean => file.startsWith("drizzle/routines/");

/** One change of a routine's file. */
export interface Replacement extends Change {
  file: string;
}

/** The mutants of a routine. @param text of its file. */
export function placedInRoutine(file: string, text: string, mutants: Mutant[]): Placed[] {
  const { starts, at } = statementsOf(text);
  const markFor = (place: number) => (starts.length > 0 ? markOf(file, at(place)) : undefined);
  return mutants
    .filter((mutant) => mutant.file === file)
    .map(({ id, mutator, start, end, replacement }) => ({
      id: `routine ${id}`,
      file,
      mutator,
      start,
      end,
      replacement,
      mark: markFor(start),
    }));
}

/** The files of routines that a statement comes by, and how far each is: 0 for one that it names. */
export type Reach = Map<string, number>;

/**
 * Which of these files a statement comes by: those that it names, those that they name, and triggers and their functions,
 * which any statement can come by.
 */
export function reachOf(texts: ReadonlyMap<string, string>): (names: readonly string[]) => Reach {
  const files = new Map([...texts.keys()].map((file) => [basename(file, ".sql"), file]));
  const named = (text: string) =>
    [...text.matchAll(/mcp_[a-z_]+/g)].flatMap(([name]) => files.get(name) ?? []);
  const triggers = [...texts].flatMap(([file, text]) =>
    /RETURNS trigger|CREATE OR REPLACE TRIGGER/i.test(text) ? [file] : [],
  );
  return (names) => {
    const found: Reach = new Map();
    const visit = (some: string[], far: number) => {
      const added = some.filter((file) => !found.has(file));
      for (const file of added) found.set(file, far);
      if (added.length > 0)
        visit(
          added.flatMap((file) => named(texts.get(file) ?? "")),
          far + 1,
        );
    };
    visit(named(names.join(" ")), 0);
    if (names.length > 0) visit(triggers, 1);
    return found;
  };
}

/** Replaces the routine of the mutant that is active, by the control server of the tests. */
export class RoutineSwitch {
  readonly #control: () => string;
  #replacements: Record<string, Replacement> = {};
  #active: string | undefined;

  /** @param control the address of the control server, which is known when the tests run. */
  constructor(control: () => string) {
    this.#control = control;
  }

  /** @param replacements by the id of the mutant. */
  expect(replacements: Record<string, Replacement>): void {
    this.#replacements = replacements;
  }

  /**
   * @param mutant null or unknown: none.
   * @returns whether PostgreSQL takes it in the place of what is there.
   */
  async turnTo(mutant: string | null): Promise<boolean> {
    const before = this.#active;
    this.#active = undefined;
    if (before !== undefined) await this.#replace(before, null);
    const replacement = this.#replacements[mutant ?? ""];
    if (replacement === undefined) return true;
    this.#active = replacement.file;
    const isTaken = await this.#replace(
      replacement.file,
      applied(readFileSync(replacement.file, "utf8"), replacement),
    );
    if (!isTaken) await this.turnTo(null);
    return isTaken;
  }

  async #replace(file: string, text: string | null): Promise<boolean> {
    const original = readFileSync(file, "utf8");
    const response = await fetch(`${this.#control()}/routine`, {
      method: "POST",
      body: JSON.stringify({ text, original }),
    });
    return response.ok;
  }
}
