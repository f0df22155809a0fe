// Runs tests in a copy of the working tree, in a process of its own that stays: with one vitest, one PostgreSQL and one
// workerd for many mutants. Its parent writes mutants into the copy, and ends it when tests hang.
import { globSync } from "node:fs";
import { relative, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  createVitest,
  type Reporter,
  type TestModule,
  type TestSpecification,
  type Vitest,
} from "vitest/node";
import { removeCopy } from "./copy.ts";
import { projectOf } from "./rooms.ts";
import { takeCounts } from "./switched/children.ts";
import { Marks } from "./switched/marks.ts";
import type { Message, Plan } from "./switched/messages.ts";
import { type Replacement, RoutineSwitch } from "./switched/routines.ts";
import { serveSwitches } from "./switched/server.ts";
import { COUNTS_FILE } from "./switched/switches.ts";

export type Order = FilesOrder | SwitchOrder;

/** Runs test files until one fails. */
export interface FilesOrder {
  kind: "files";
  /** The files that were changed since the last order. */
  changed: string[];
  /** Whether the databases of the tests in workerd are made from changed SQL. */
  isSql: boolean;
  tests: { project: string; file: string }[];
}

/** Runs test files over instrumented source. */
export interface SwitchOrder {
  kind: "switch";
  changed: string[];
  files: string[];
  /** Undefined for runs that only count what is reached. */
  plan: Plan | undefined;
  /** What the mutants of routines put in their places, by the id of the mutant. */
  routines: Record<string, Replacement>;
  timeoutMs: number;
}

export type Report =
  | { kind: "ready" }
  /** A test file begins. */
  | { kind: "begins"; file: string }
  | { kind: "says"; messages: Message[] }
  | { kind: "passed"; ms: Record<string, number> }
  | { kind: "failed"; file: string; test: string; ms: Record<string, number> }
  /** db:migrate refuses the SQL, with this SQLSTATE when it is PostgreSQL's own error. */
  | { kind: "refused"; message: string };

/** Files run in the order that they are given in. */
class AsGiven {
  sort = (files: TestSpecification[]) => Promise.resolve(files);
  shard = (files: TestSpecification[]) => Promise.resolve(files);
}

// Nobody hears it when the parent has gone meanwhile.
const say = (report: Report) => process.send?.(report, () => {});

const PROJECTS = ["worker", "node", "pure"];

// A file that only needs the servers.
const WARM_UP = "test/cleanup/tiers.test.ts";

// PostgreSQL and workerd stop in a second or two.
const CLOSING_MS = 15_000;

const copy = process.cwd();
// For test/vitest.config.ts.
process.env["MUTANTS"] = "1";
const countsFile = `${copy}/counts-of-children`;
process.env[COUNTS_FILE] = countsFile;
/** The test file that has begun last, and how long each of the order took. */
let running = "";
let ms: Record<string, number> = {};
const begun = new Map<string, number>();
const reporter: Reporter = {
  onTestModuleStart({ moduleId }) {
    running = relative(copy, moduleId);
    begun.set(running, performance.now());
    say({ kind: "begins", file: running });
  },
  onTestModuleEnd({ moduleId }) {
    const file = relative(copy, moduleId);
    ms[file] = Math.round(performance.now() - (begun.get(file) ?? 0));
  },
};
const vitest: Vitest = await createVitest("test", {
  config: "test/vitest.config.ts",
  project: PROJECTS,
  watch: false,
  bail: 1,
  reporters: [reporter],
  sequence: { sequencer: AsGiven },
});
const projects = PROJECTS.map((name) => vitest.getProjectByName(name));
const switching = (value: { url: string; timeoutMs: number } | null) =>
  projects.forEach((project) => project.provide("switching", value));
const bail = (after: number) => projects.forEach(({ config }) => (config.bail = after));
switching(null);
const control = () => (vitest.getProjectByName("worker").getProvidedContext() as { control: string }).control;
const routines = new RoutineSwitch(control);
const marks = new Marks(control);
const board = await serveSwitches({
  onFile: () => routines.turnTo(null),
  async onSaid(messages) {
    for (const message of messages) if (message.kind === "covered") await complete(message);
    say({ kind: "says", messages });
    for (const message of messages) if (message.kind === "trying") await turnTo(message);
  },
});

async function complete(message: Extract<Message, { kind: "covered" }>): Promise<void> {
  await marks.begin(undefined);
  for (const test of message.tests) test.marks = marks.take(test.id);
  message.file = relative(copy, message.file);
  const ofChildren = takeCounts(countsFile);
  for (const { id, hits } of message.tests)
    for (const [mutant, count] of Object.entries(ofChildren.get(id) ?? {}))
      hits[mutant] = (hits[mutant] ?? 0) + count;
}

async function turnTo({ test, mutant }: Extract<Message, { kind: "trying" }>): Promise<void> {
  await marks.begin(test);
  if ((await routines.turnTo(mutant)) || mutant === null) return;
  say({ kind: "says", messages: [{ kind: "refused", mutant }] });
}

type Test = FilesOrder["tests"][number];

/** Runs files in one isolate, until one fails. */
async function run(tests: Test[]): Promise<{ modules: TestModule[]; hasLeftErrors: boolean }> {
  const specifications = tests.map(({ project, file }) =>
    vitest.getProjectByName(project).createSpecification(resolve(file)),
  );
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications);
  return { modules: testModules, hasLeftErrors: unhandledErrors.length > 0 };
}

/** The test that fails; undefined when all pass. */
async function failureIn(tests: Test[]): Promise<{ file: string; test: string } | undefined> {
  const { modules, hasLeftErrors } = await run(tests);
  const ran = new Map(modules.map((module) => [relative(copy, module.moduleId), module]));
  for (const { file } of tests) {
    const module = ran.get(file);
    if (module === undefined) return { file, test: "the file did not run" };
    for (const test of module.children.allTests("failed")) return { file, test: test.fullName };
    if (!module.ok()) return { file, test: "the file did not load" };
  }
  return hasLeftErrors ? { file: running, test: "the file left an error" } : undefined;
}

/** Makes the template of the tests' databases again, from the SQL as it is. */
async function remakeTemplate(): Promise<string | undefined> {
  const response = await fetch(`${control()}/template`, { method: "POST", body: "{}" });
  return response.ok ? undefined : response.text();
}

let before = [WARM_UP];
// Whether the template is of SQL that has changed since.
let isStale = false;

/** Vitest is to read them again, and those of the order before, whose change is undone. */
function invalidate(changed: string[]): void {
  for (const file of new Set([...changed, ...before])) vitest.invalidateFile(resolve(file));
  before = changed;
}

/** Those in workerd first: one run for each project. */
const byProject = (tests: Test[]) => [...Map.groupBy(tests, ({ project }) => project).values()];

async function runFiles({ changed, isSql, tests }: FilesOrder): Promise<Report> {
  invalidate(changed);
  if (isSql || isStale) {
    isStale = isSql;
    const refusal = await remakeTemplate();
    if (refusal !== undefined) return { kind: "refused", message: refusal };
  }
  switching(null);
  bail(1);
  ms = {};
  for (const own of byProject(tests)) {
    const failure = await failureIn(own);
    if (failure !== undefined) return { kind: "failed", ...failure, ms };
  }
  return { kind: "passed", ms };
}

async function runSwitched(order: SwitchOrder): Promise<Report> {
  const { changed, files, plan, timeoutMs } = order;
  invalidate(changed);
  board.plan = plan;
  routines.expect(order.routines);
  // A test that fails says nothing of the others.
  bail(0);
  switching({ url: board.url, timeoutMs });
  if (plan === undefined) await marks.turnOn(globSync("drizzle/routines/*.sql"));
  for (const own of byProject(files.map((file) => ({ project: projectOf(file), file })))) await run(own);
  await marks.turnOn([]);
  await routines.turnTo(null);
  return { kind: "passed", ms: {} };
}

const follow = (order: Order) => (order.kind === "switch" ? runSwitched(order) : runFiles(order));

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

const failure = await failureIn([{ project: "worker", file: WARM_UP }]);
if (failure !== undefined) throw new Error(`Tests do not run in the copy: ${failure.test}`);
say({ kind: "ready" });
