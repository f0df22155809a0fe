// What a bench has measured, and how it is shown: least, median and most of values that were measured in turns.
import { availableParallelism, cpus } from "node:os";
import { table } from "./soak/tally.ts";

/** One line of a table. */
export interface Figure {
  /** What was measured, with its unit, or what it is a ratio to. */
  what: string;
  /** One for each pair of rounds. */
  values: number[];
  digits?: number;
  /** What the median must reach, or stay within. */
  goal?: { atLeast: number } | { atMost: number };
}

export const ratios = (over: number[], under: number[]) => over.map((value, i) => value / (under[i] ?? NaN));

export function summaryOf({ values }: Figure) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? NaN;
  return { min: at(0), median: at(Math.floor(sorted.length / 2)), max: at(sorted.length - 1) };
}

export function isMet(figure: Figure): boolean | undefined {
  const { goal } = figure;
  if (goal === undefined) return undefined;
  const { median } = summaryOf(figure);
  return "atLeast" in goal ? median >= goal.atLeast : median <= goal.atMost;
}

/** The figures as a Markdown table, as docs/benchmarks.md has them. */
export function render(figures: Figure[]): string {
  return table([
    ["", "min", "median", "max", "goal"],
    ...figures.map((figure) => {
      const { min, median, max } = summaryOf(figure);
      const { what, digits = 2, goal } = figure;
      const wanted = goal === undefined ? "" : "atLeast" in goal ? `>= ${goal.atLeast}` : `<= ${goal.atMost}`;
      const verdict = isMet(figure) === false ? `${wanted}, missed` : wanted;
      return [what, ...[min, median, max].map((value) => value.toFixed(digits)), verdict];
    }),
  ]);
}

export function machine(serverVersion = "18.4"): string {
  return `PostgreSQL ${serverVersion}, Node ${process.version}, ${availableParallelism()} x ${cpus()[0]?.model ?? "?"}`;
}

export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.ceil(sorted.length * share), sorted.length) - 1] ?? NaN;
}
