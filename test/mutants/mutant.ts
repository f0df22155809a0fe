// A mutant: one small change of one file.
import { createHash } from "node:crypto";

/** One change of a text: what stands from `start` to `end` is replaced. */
export interface Change {
  /** Which kind of mistake it makes, such as `comparison`. */
  mutator: string;
  start: number;
  end: number;
  replacement: string;
}

export interface Mutant extends Change {
  /** Stays the same while the file around it changes. */
  id: string;
  room: string;
  file: string;
  /** The line that it begins in, without its indentation. */
  line: string;
  /** `from → to`, on one line. */
  change: string;
  /** Which one it is of those with the same file, mutator, line and change; from 1 on. */
  nth: number;
}

const onOneLine = (text: string) => text.replaceAll(/\s+/g, " ").trim();

/** The mutants of a file, in the order of the text, each once. */
export function mutantsOf(room: string, file: string, text: string, changes: Change[]): Mutant[] {
  const seen = new Map<string, number>();
  const mutants = changes
    .toSorted((a, b) => a.start - b.start || a.end - b.end)
    .map((change) => {
      const { mutator, start, end, replacement } = change;
      const lineStart = text.lastIndexOf("\n", start - 1) + 1;
      const [line = ""] = text.slice(lineStart).split("\n");
      const described = `${onOneLine(text.slice(start, end))} → ${onOneLine(replacement) || "nothing"}`;
      const key = [file, mutator, line.trim(), described].join("\0");
      const before = seen.get(key) ?? 0;
      seen.set(key, before + 1);
      const id = createHash("sha256").update(`${key}\0${before}`).digest("hex").slice(0, 8);
      return { ...change, id, room, file, line: line.trim(), change: described, nth: before + 1 };
    });
  const places = new Set<string>();
  return mutants.filter(({ start, end, replacement }) => {
    const place = `${start} ${end} ${replacement}`;
    return text.slice(start, end) !== replacement && !places.has(place) && places.add(place);
  });
}

export const applied = (text: string, { start, end, replacement }: Change) =>
  text.slice(0, start) + replacement + text.slice(end);

/** `count` of them, the same ones for the same seed, in their order. */
export function sampleOf(mutants: Mutant[], count: number, seed: number): Mutant[] {
  const rank = ({ id }: Mutant) => createHash("sha256").update(`${seed} ${id}`).digest("hex");
  const chosen = new Set(mutants.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1)).slice(0, count));
  return mutants.filter((mutant) => chosen.has(mutant));
}
