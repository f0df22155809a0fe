// The mutants of TypeScript: those that StrykerJS makes, and those of the SQL in sql`…`.
import { createInstrumenter } from "@stryker-mutator/instrumenter";
import { createInjector } from "typed-inject";
import type { Change } from "./mutant.ts";
import { templateChanges } from "./sql/mutators.ts";

// Texts for people are no rules, and the types hold the texts that are codes.
const EXCLUDED = ["StringLiteral"];

const quiet = () => {};
const logger = {
  isTraceEnabled: () => false,
  isDebugEnabled: () => false,
  isInfoEnabled: () => false,
  isWarnEnabled: () => false,
  isErrorEnabled: () => false,
  isFatalEnabled: () => false,
  trace: quiet,
  debug: quiet,
  info: quiet,
  warn: quiet,
  error: quiet,
  fatal: quiet,
};

export async function sourceChanges(file: string, source: string): Promise<Change[]> {
  const injector = createInjector()
    .provideValue("logger", logger)
    .provideValue("getLogger", () => logger)
    .provideValue("options", {});
  const instrumenter = injector.injectFunction(createInstrumenter as never) as {
    instrument: (
      files: { name: string; content: string; mutate: boolean }[],
      options: object,
    ) => Promise<{ mutants: readonly StrykerMutant[] }>;
  };
  const { mutants } = await instrumenter.instrument([{ name: file, content: source, mutate: true }], {
    plugins: null,
    excludedMutations: EXCLUDED,
    ignorers: [],
    noHeader: true,
  });
  const lineStarts = [0, ...[...source.matchAll(/\n/g)].map(({ index }) => index + 1)];
  const offsetOf = ({ line, column }: Position) => (lineStarts[line] ?? 0) + column;
  const changes = mutants
    .filter(({ statusReason }) => statusReason === undefined)
    .map(({ mutatorName, replacement, location }) => ({
      mutator: mutatorName,
      start: offsetOf(location.start),
      end: offsetOf(location.end),
      replacement,
    }));
  return [...changes, ...templateChanges(source)];
}

/** Lines and columns count from 0. */
interface Position {
  line: number;
  column: number;
}

interface StrykerMutant {
  mutatorName: string;
  replacement: string;
  location: { start: Position; end: Position };
  /** Why it is ignored. */
  statusReason?: string;
}
