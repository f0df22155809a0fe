// Runs before each test file in runs of mutants, in workerd and in Node. While a test repeats over source with all mutants in
// it, one mutant after the other is active.
import {
  afterAll,
  beforeAll,
  beforeEach,
  inject,
  type RunnerTestCase,
  type RunnerTestSuite,
  vi,
} from "vitest";
import type { Covered, Message, Plan } from "./messages.ts";
import { ACTIVE_MUTANT, switchesHere, TEST_ID } from "./switches.ts";
import { Verdicts } from "./verdicts.ts";

const switches = switchesHere();
const switching = inject("switching");

// A test may have its own.
const { fetch } = globalThis;

// The slowest test in workerd takes about ten seconds.
const PATIENCE_MS = 180_000;
// A test that takes longer at first takes too long to be repeated for each mutant, so whether it can be does not matter.
const LONG_MS = 3000;

let plan: Plan | null = null;
/** Those that run when what they come by is counted; one that is not repeated is skipped in the end. */
let counted: RunnerTestCase[] = [];
const verdicts = new Verdicts(switches.isSpoilt === true);

/** Names in the statements of each test. */
const namesOf = new Map<string, Set<string>>();

/** Notes what is said to the database, or to the control server about it. */
function noteStatements(): void {
  globalThis.fetch = async (input, init) => {
    const { currentTestId: test } = switches;
    if (test !== undefined && typeof init?.body === "string") {
      const names = namesOf.get(test) ?? new Set();
      namesOf.set(test, names);
      for (const [name] of init.body.matchAll(/mcp_[a-z_]+/g)) names.add(name);
    }
    return fetch(input, init);
  };
}

/** What processes that the test starts read. */
function turnChildrenTo(mutant: string | undefined, test: string | undefined): void {
  process.env[ACTIVE_MUTANT] = mutant ?? "";
  process.env[TEST_ID] = test ?? "";
}

const tell = async (messages: Message[]) => {
  await fetch(url, { method: "POST", body: JSON.stringify(messages) });
};

const testsIn = (suite: RunnerTestSuite): RunnerTestCase[] =>
  suite.tasks.flatMap((task) => (task.type === "suite" ? testsIn(task) : [task]));

function prepare(test: RunnerTestCase): void {
  if (plan === null) {
    test.repeats = 1;
    return;
  }
  const own = plan[test.id] ?? [];
  if (own.length === 0) {
    test.mode = "skip";
    return;
  }
  test.retry = 1;
  Object.defineProperty(test, "repeats", { get: () => verdicts.repeatsOf(test, own) });
}

// A mutant that makes a test wait is seen by it.
const { url, timeoutMs } = switching ?? { url: "", timeoutMs: PATIENCE_MS };
vi.setConfig({ testTimeout: timeoutMs, hookTimeout: timeoutMs });

if (switching !== null) {
  // oxlint-disable-next-line eslint/no-empty-pattern -- Vitest reads how the function is written
  beforeAll(async ({}, { file }) => {
    const response = await fetch(`${url}?${new URLSearchParams({ file: file.filepath })}`);
    plan = (await response.json()) as Plan | null;
    const tests = testsIn(file).filter(({ mode }) => mode === "run");
    for (const test of tests) prepare(test);
    if (plan !== null) return;
    counted = tests;
    noteStatements();
  });

  beforeEach(async ({ task: test, skip }) => {
    switches.activeMutant = undefined;
    turnChildrenTo(undefined, undefined);
    if (plan === null) {
      const [first] = test.result?.attempts ?? [];
      if (first !== undefined && first.duration > LONG_MS) skip();
      await tell([{ kind: "trying", test: test.id, mutant: null }]);
      switches.currentTestId = first === undefined ? test.id : "again";
      turnChildrenTo(undefined, switches.currentTestId);
      return;
    }
    vi.useRealTimers();
    const { mutant, isOver, messages } = verdicts.begin(test);
    if (isOver) {
      await tell(messages);
      skip();
    }
    await tell([...messages, { kind: "trying", test: test.id, mutant: mutant?.id ?? null }]);
    switches.hitCount = 0;
    switches.hitLimit = mutant?.hitLimit ?? Number.POSITIVE_INFINITY;
    switches.activeMutant = mutant?.id;
    turnChildrenTo(mutant?.id, undefined);
  });

  // oxlint-disable-next-line eslint/no-empty-pattern -- as above
  afterAll(async ({}, { file }) => {
    switches.activeMutant = undefined;
    switches.currentTestId = undefined;
    turnChildrenTo(undefined, undefined);
    if (plan !== null) {
      await tell(verdicts.end());
      switches.isSpoilt = verdicts.isSpoilt;
      return;
    }
    globalThis.fetch = fetch;
    const { static: loaded = {}, perTest = {} } = switches.mutantCoverage ?? {};
    const tests = counted.map((test): Covered => {
      const attempts = test.result?.attempts ?? [];
      return {
        id: test.id,
        name: test.fullTestName ?? test.name,
        ms: attempts.at(-1)?.duration ?? 0,
        firstMs: attempts[0]?.duration ?? 0,
        isSound: attempts.length === 2 && attempts.every(({ state }) => state === "pass"),
        hits: perTest[test.id] ?? {},
        names: [...(namesOf.get(test.id) ?? [])],
        // Seen by the process of the test.
        marks: [],
      };
    });
    await tell([{ kind: "covered", file: file.filepath, tests, loaded: Object.keys(loaded) }]);
  });
}
