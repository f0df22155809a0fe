// Runs tests in a copy of the working tree, in a process of its own that stays: with one vitest, one PostgreSQL and one
// workerd for many mutants. Its parent writes mutants into the copy, and ends it when tests hang.
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createVitest, type Vitest } from "vitest/node";
import { removeCopy } from "./copy.ts";

export interface Order {
  /** The files that were changed since the last order. */
  changed: string[];
  /** Whether the databases of the tests in workerd are made from changed SQL. */
  isSql: boolean;
  tests: { project: string; file: string }[];
}

export type Report =
  | { kind: "ready" }
  /** A test file begins, and how many of the order are done. */
  | { kind: "begins"; file: string }
  /** `reached`: what the tests have reached of instrumented source. */
  | { kind: "passed"; ms: Record<string, number>; reached: string[] }
  | { kind: "failed"; file: string; test: string; ms: Record<string, number> }
  /** db:migrate refuses the SQL, with this SQLSTATE when it is PostgreSQL's own error. */
  | { kind: "refused"; message: string };

// Nobody hears it when the parent has gone meanwhile.
const say = (report: Report) => process.send?.(report, () => {});

// A file that only needs the servers.
const WARM_UP = "test/cleanup/tiers.test.ts";

// PostgreSQL and workerd stop in a second or two.
const CLOSING_MS = 15_000;

const copy = process.cwd();
// For test/vitest.config.ts.
process.env["MUTANTS_REACH"] = "1";
const vitest: Vitest = await createVitest("test", {
  config: "test/vitest.config.ts",
  project: ["worker", "node"],
  watch: false,
  bail: 1,
  reporters: [{}],
});

/** The name of the test that fails in a file; undefined when all pass. */
async function failureIn(
  { project, file }: Order["tests"][number],
  reached = new Set<string>(),
): Promise<string | undefined> {
  const path = resolve(file);
  const specification = vitest.getProjectByName(project).createSpecification(path);
  // Also of files that ran before.
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specification]);
  const module = testModules.find(({ moduleId }) => moduleId === path);
  if (module === undefined) return "the file did not run";
  for (const test of module.children.allTests("failed")) return test.fullName;
  for (const test of module.children.allTests()) for (const id of test.meta().reached ?? []) reached.add(id);
  return module.ok() && unhandledErrors.length === 0 ? undefined : "the file did not load, or left an error";
}

/** Makes the template of the tests' databases again, from the SQL as it is. */
async function remakeTemplate(): Promise<string | undefined> {
  const { control } = vitest.getProjectByName("worker").getProvidedContext() as { control: string };
  const response = await fetch(`${control}/template`, { method: "POST", body: "{}" });
  return response.ok ? undefined : response.text();
}

let before = [WARM_UP];
// Whether the template is of SQL that has changed since.
let isStale = false;

async function follow({ changed, isSql, tests }: Order): Promise<Report> {
  // The change of the order before is undone, too.
  for (const file of new Set([...changed, ...before])) vitest.invalidateFile(resolve(file));
  before = changed;
  if (isSql || isStale) {
    isStale = isSql;
    const refusal = await remakeTemplate();
    if (refusal !== undefined) return { kind: "refused", message: refusal };
  }
  const ms: Record<string, number> = {};
  const reached = new Set<string>();
  for (const test of tests) {
    const { file } = test;
    say({ kind: "begins", file });
    const start = performance.now();
    const failure = await failureIn(test, reached);
    ms[file] = Math.round(performance.now() - start);
    if (failure !== undefined) return { kind: "failed", file, test: failure, ms };
  }
  return { kind: "passed", ms, reached: [...reached] };
}

process.on("message", (order: Order) => {
  void follow(order).then(say);
});
// The parent is done, or gone, perhaps in the middle of a test.
process.on("disconnect", () => {
  void Promise.race([vitest.close(), sleep(CLOSING_MS)]).finally(() => {
    removeCopy(copy);
    // The whole group: no process of a test that hangs is left.
    process.kill(-process.pid, "SIGKILL");
  });
});

const failure = await failureIn({ project: "worker", file: WARM_UP });
if (failure !== undefined) throw new Error(`Tests do not run in the copy: ${failure}`);
say({ kind: "ready" });
