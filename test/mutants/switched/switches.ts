// What instrumented source reads and counts, where StrykerJS has it; and what processes that a test starts are told.

export interface Switches {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  hitCount?: number;
  /** More hits of the active mutant throw: it never ends. */
  hitLimit?: number;
  /** A test has failed without a mutant: what is left behind may be in the modules, which its files share. */
  isSpoilt?: boolean;
  mutantCoverage?: { static: Record<string, number>; perTest: Record<string, Record<string, number>> };
}

/** Those of this process, or of this isolate. */
export function switchesHere(): Switches {
  const { __stryker__: switches = {} } = globalThis as { __stryker__?: Switches };
  Object.assign(globalThis, { __stryker__: switches });
  return switches;
}

/** The variable by which StrykerJS tells a process which mutant is active. */
export const ACTIVE_MUTANT = "__STRYKER_ACTIVE_MUTANT__";
/** The file that a process adds its counts to, and the test that they belong to. */
export const COUNTS_FILE = "MUTANTS_COUNTS";
export const TEST_ID = "MUTANTS_TEST";
