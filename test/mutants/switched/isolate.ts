// Runs before each test file in runs of mutants, in workerd and in Node. While a test repeats over source with all mutants in it, one
// mutant after the other is active. A test that fails with one runs once more without: only when it passes then, the mutant
// was seen.
import {
  afterAll,
  beforeAll,
  beforeEach,
  inject,
  type RunnerTestCase,
  type RunnerTestSuite,
  vi,
} from "vitest";
import type { Covered, Message, Plan, Queue } from "./messages.ts";
import { ACTIVE_MUTANT, switchesHere, TEST_ID } from "./switches.ts";

const switches = switchesHere();
/** By this file; a later one is not told of them. */
const killed = new Set<string>();
const switching = inject("switching");

// A test may have its own.
const { fetch } = globalThis;

// The slowest test in workerd takes about ten seconds.
const PATIENCE_MS = 180_000;
// A test that takes longer at first takes too long to be repeated for each mutant, so whether it can be does not matter.
const LONG_MS = 3000;

interface Attempt {
  test: RunnerTestCase;
  mutant?: string;
  /** The mutant that the attempt before failed with. */
  suspect?: string;
}

let plan: Plan | null = null;
let queue: Queue = [];
let last: Attempt | undefined;
let isUnsound = false;

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
  if (test.mode !== "run") return;
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
  // Read when the test begins: others in this file may have killed some meanwhile.
  Object.defineProperty(test, "repeats", {
    get: () => (queue = own.filter(({ id }) => !killed.has(id))).length,
  });
}

/** What the last attempt has shown. */
function settle(): Message[] {
  const { test, mutant, suspect } = last ?? {};
  const attempt = test?.result?.attempts?.at(-1);
  if (test === undefined || attempt === undefined) return [];
  const hasFailed = attempt.state === "fail";
  if (attempt.retryIndex > 0 && hasFailed) {
    isUnsound = true;
    return [{ kind: "unsound", test: test.id, mutant: suspect ?? null }];
  }
  if (mutant !== undefined && hasFailed) return [];
  if (suspect === undefined) return [];
  killed.add(suspect);
  const [failure] = test.result?.attempts?.at(-2)?.errors ?? [];
  const isLate = /timed out in \d+ms/.test(failure?.message ?? "");
  return [{ kind: "killed", test: test.id, mutant: suspect, isLate }];
}

// A mutant that makes a test wait is seen by it.
const { url, timeoutMs } = switching ?? { url: "", timeoutMs: PATIENCE_MS };
vi.setConfig({ testTimeout: timeoutMs, hookTimeout: timeoutMs });

if (switching !== null) {
  // oxlint-disable-next-line eslint/no-empty-pattern -- Vitest reads how the function is written
  beforeAll(async ({}, { file }) => {
    const response = await fetch(`${url}?${new URLSearchParams({ file: file.filepath })}`);
    plan = (await response.json()) as Plan | null;
    if (plan === null) noteStatements();
    for (const test of testsIn(file)) prepare(test);
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
    const messages = settle();
    if (isUnsound) {
      await tell(messages);
      throw new Error("This test fails without a mutant, too");
    }
    const isRetry = test === last?.test && test.result?.attempts?.at(-1)?.state === "fail";
    if (isRetry) {
      last = { test, ...(last?.mutant !== undefined && { suspect: last.mutant }) };
      await tell([...messages, { kind: "trying", test: test.id, mutant: null }]);
      return;
    }
    const { id, hitLimit } = queue[(test.result?.repeatCount ?? 0) - 1] ?? {};
    last = { test, ...(id !== undefined && { mutant: id }) };
    await tell([...messages, { kind: "trying", test: test.id, mutant: id ?? null }]);
    switches.hitCount = 0;
    switches.hitLimit = hitLimit ?? Number.POSITIVE_INFINITY;
    switches.activeMutant = id;
    turnChildrenTo(id, undefined);
  });

  // oxlint-disable-next-line eslint/no-empty-pattern -- as above
  afterAll(async ({}, { file }) => {
    switches.activeMutant = undefined;
    switches.currentTestId = undefined;
    turnChildrenTo(undefined, undefined);
    if (plan !== null) {
      await tell(settle());
      return;
    }
    globalThis.fetch = fetch;
    const { static: loaded = {}, perTest = {} } = switches.mutantCoverage ?? {};
    const tests = testsIn(file)
      .filter(({ mode }) => mode === "run")
      .map((test): Covered => {
        const attempts = test.result?.attempts ?? [];
        return {
          id: test.id,
          name: test.fullTestName ?? test.name,
          ms: attempts.at(-1)?.duration ?? 0,
          firstMs: attempts[0]?.duration ?? 0,
          isSound: attempts.length === 2 && attempts.every(({ state }) => state === "pass"),
          hits: perTest[test.id] ?? {},
          names: [...(namesOf.get(test.id) ?? [])],
        };
      });
    await tell([{ kind: "covered", file: file.filepath, tests, loaded: Object.keys(loaded) }]);
  });
}
