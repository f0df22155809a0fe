// The mutants of TypeScript: those that StrykerJS makes, and those of the SQL in sql`…`.
import { createInstrumenter } from "@stryker-mutator/instrumenter";
import { createInjector } from "typed-inject";
import type { Change } from "./mutant.ts";
import { templateChanges } from "./sql/mutators.ts";
import { withTemplates } from "./switched/templates.ts";

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

export interface Instrumented {
  placed: Placed[];
  contents: Map<string, string>;
}

/** The mutants of files, and the files with all of them in it, which also count what is come by. */
export async function instrument(texts: Map<string, string>): Promise<Instrumented> {
  const { placed, contents } = await instrumentByStryker(texts);
  for (const [path, source] of texts) {
    const { placed: own, content } = withTemplates(path, source, contents.get(path) ?? "");
    placed.push(...own);
    contents.set(path, path.startsWith("src/") ? content : counting(path, content));
  }
  return { placed, contents };
}

/** A file that also runs in processes of its own. */
function counting(path: string, content: string): string {
  const root = "../".repeat(path.split("/").length - 1);
  const [first = ""] = /^#!.*\n/.exec(content) ?? [];
  return `${first}import { writeCountsAtExit } from "${root}test/mutants/switched/children.ts";
writeCountsAtExit();
${content.slice(first.length)}`;
}

async function instrumentByStryker(texts: Map<string, string>): Promise<Instrumented> {
  const injector = createInjector()
    .provideValue("logger", logger)
    .provideValue("getLogger", () => logger)
    .provideValue("options", {});
  const instrumenter = injector.injectFunction(createInstrumenter as never) as {
    instrument: (
      files: { name: string; content: string; mutate: boolean }[],
      options: object,
    ) => Promise<{ mutants: readonly StrykerMutant[]; files: readonly { name: string; content: string }[] }>;
  };
  const { mutants, files } = await instrumenter.instrument(
    [...texts].map(([name, content]) => ({ name, content, mutate: true })),
    { plugins: null, excludedMutations: EXCLUDED, ignorers: [], noHeader: false },
  );
  const placed = mutants
    .filter(({ statusReason }) => statusReason === undefined)
    .map(({ id, fileName, mutatorName, replacement, location }) => {
      const source = texts.get(fileName) ?? "";
      const [start, end] = [offsetIn(source, location.start), offsetIn(source, location.end)];
      return { id, file: fileName, mutator: mutatorName, start, end, replacement };
    });
  return { placed, contents: new Map(files.map(({ name, content }) => [name, content])) };
}

export async function sourceChanges(file: string, source: string): Promise<Change[]> {
  const { placed } = await instrumentByStryker(new Map([[file, source]]));
  const changes = placed.map(({ mutator, start, end, replacement }) => ({
    mutator,
    start,
    end,
    replacement,
  }));
  return [...changes, ...templateChanges(source)];
}

/** Lines and columns count from 0. */
const offsetIn = (source: string, { line, column }: Position) =>
  source.split("\n", line).join("\n").length + Math.min(line, 1) + column;

/** A change with the id and the file that it has in what was instrumented. */
export interface Placed extends Change {
  id: string;
  file: string;
  /** Of a routine: its statement, as the tests' marks name it. Undefined when whatever calls the routine comes by. */
  mark?: string | undefined;
}

interface Position {
  line: number;
  column: number;
}

interface StrykerMutant {
  id: string;
  fileName: string;
  mutatorName: string;
  replacement: string;
  location: { start: Position; end: Position };
  /** Why it is ignored. */
  statusReason?: string;
}
