// What is said of a mutant that no test can kill.

export interface Equivalent {
  file: string;
  /** Left out for every kind. */
  mutator?: string;
  /** The line that the change begins in, without its indentation. */
  line: string;
  /** `from → to`; left out for every change of this line. */
  change?: string;
  /** Which one, where a file has the same line more than once; left out for each. */
  nth?: number;
  reason: string;
}

export const CLOCK =
  "clock_timestamp() has microseconds, and moves on between the statement that writes a time and this one.";
