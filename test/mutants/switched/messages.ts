// What is said between the isolate that switches mutants, the process of its tests, and the run.
import type * as vitest from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** Null while tests run as they are. */
    switching: { url: string; timeoutMs: number } | null;
  }
}

/** The mutants to try with a test. More hits than `hitLimit` mean that one never ends. */
export type Queue = { id: string; hitLimit: number }[];

/** What a test file of an isolate is to do, by the id of the test. */
export type Plan = Record<string, Queue>;

export interface Covered {
  id: string;
  name: string;
  /** What it takes when it is repeated, and what it took at first: with what it makes for those after it. */
  ms: number;
  firstMs: number;
  /** Passes twice in one isolate. */
  isSound: boolean;
  /** How often it comes by the mutants. */
  hits: Record<string, number>;
  /** Names in its statements that begin with `mcp_`. */
  names: string[];
  /** The statements of routines that it comes by. */
  marks: string[];
}

export type Message =
  /** `mutant`: null for none. */
  | { kind: "trying"; test: string; mutant: string | null }
  /** `isLate`: by its time limit. */
  | { kind: "killed"; test: string; mutant: string; isLate: boolean }
  /** A test that fails without a mutant, too: after this one, or before any. */
  | { kind: "unsound"; test: string; mutant: string | null }
  /** PostgreSQL does not take the mutant in the place of what is there. */
  | { kind: "refused"; mutant: string }
  /** `loaded`: what was come by outside of tests. */
  | { kind: "covered"; file: string; tests: Covered[]; loaded: string[] };

export type { vitest };
