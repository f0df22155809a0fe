// Holds the list of equivalent mutants against what is tried.
import { equivalents } from "./equivalents.ts";
import type { Equivalent } from "./equivalents/equivalent.ts";
import type { Mutant } from "./mutant.ts";
import type { Result } from "./worker.ts";

export const describes = ({ file, mutator, line, change, nth }: Equivalent, mutant: Mutant) =>
  file === mutant.file &&
  (mutator === undefined || mutator === mutant.mutator) &&
  line === mutant.line &&
  (change === undefined || change === mutant.change) &&
  (nth === undefined || nth === mutant.nth);

/** Why a mutant is equivalent, when the list says so. */
export const reasonOf = (mutant: Mutant): string | undefined =>
  equivalents.find((entry) => describes(entry, mutant))?.reason;

const nameOf = ({ file, line, change = "any change" }: Equivalent) => `${file}: ${line}: ${change}`;

/** What is wrong with the list: entries for no mutant, and entries whose mutant was not survived by all tests. */
export function faultsOf(all: Mutant[], results: Result[]): string[] {
  const files = new Set(all.map(({ file }) => file));
  const gone = equivalents
    .filter(({ file }) => files.has(file))
    .filter((entry) => !all.some((mutant) => describes(entry, mutant)));
  const killed = results.filter(
    ({ mutant, outcome }) => outcome !== "survived" && reasonOf(mutant) !== undefined,
  );
  return [
    ...gone.map((entry) => `no such mutant: ${nameOf(entry)}`),
    ...killed.map(
      ({ mutant, outcome, by }) =>
        `not equivalent, it is ${outcome}: ${mutant.file}: ${mutant.line}: ${mutant.change} (${by})`,
    ),
  ];
}
