// What instrumented source has in the place of Drizzle's tag sql`…`: one that can be told which text to make. Runs where the
// tests run.
import type { SQL } from "drizzle-orm";
import { type Switches, switchesHere } from "./switches.ts";

/** A text that another one takes the place of. */
export interface Variant {
  /** Of the mutant. */
  id: string;
  texts: string[];
  /** Which of the `${…}` are left. */
  holes: number[];
}

type Tag = (texts: TemplateStringsArray, ...values: unknown[]) => SQL;

export const keyOf = (texts: readonly string[]): string => texts.join("${}");

/** @param variants by the key of the text. */
export function switchedTag<T extends Tag>(plain: T, variants: Record<string, Variant[]>): T {
  const tag: Tag = (texts, ...values) => {
    const own = variants[keyOf(texts)];
    if (own === undefined) return plain(texts, ...values);
    const switches = switchesHere();
    count(switches, own);
    const active = own.find(({ id }) => id === switches.activeMutant);
    if (active === undefined) return plain(texts, ...values);
    return plain(
      Object.assign([...active.texts], { raw: active.texts }),
      ...active.holes.map((hole) => values[hole]),
    );
  };
  return Object.assign(tag, plain);
}

function count(switches: Switches, variants: Variant[]): void {
  const coverage = (switches.mutantCoverage ??= { static: {}, perTest: {} });
  const { currentTestId: test } = switches;
  const counts = test === undefined ? coverage.static : (coverage.perTest[test] ??= {});
  for (const { id } of variants) counts[id] = (counts[id] ?? 0) + 1;
}
