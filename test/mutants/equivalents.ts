// Mutants that no test can kill, each with the reason. An entry that fits no mutant, or one that a test kills, is an error.

export interface Equivalent {
  file: string;
  /** Left out for every kind. */
  mutator?: string;
  /** The line that the change begins in, without its indentation. */
  line: string;
  /** `from → to`; left out for every change of this line. */
  change?: string;
  reason: string;
}

export const equivalents: Equivalent[] = [];
