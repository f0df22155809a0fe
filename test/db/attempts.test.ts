// When an operation is tried again, and when it is not, on a clock that moves only when the client waits or an attempt takes
// time. Against the faults of the local Neon: client.test.ts.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connect, type Database, type Operation } from "../../src/db/client.ts";
import { DatabaseFault, type Fault } from "../../src/db/fault.ts";
import { logged } from "../support/captured-logs.ts";

const BEGIN = Date.parse("2026-11-26T12:00:00Z");
const BUDGET_MS = 10_000;

/** How long the client has waited between attempts, and the deadlines of the attempts. */
let waits: number[];
let deadlines: number[];
/** How much longer each wait takes than it should. */
let lateMs: number;

const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: BEGIN });
  waits = [];
  deadlines = [];
  lateMs = 0;
  // The longest delays between attempts.
  vi.spyOn(Math, "random").mockReturnValue(0.999);
  const later = globalThis.setTimeout;
  vi.spyOn(globalThis, "setTimeout").mockImplementation((work: () => void, ms = 0) => {
    waits.push(ms);
    pass(Math.ceil(ms) + lateMs);
    return later(work, 0);
  });
  vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
    deadlines.push(ms);
    return new AbortController().signal;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const faultOf = (over: Partial<Fault> = {}): Fault => ({
  kind: "overloaded",
  retryable: true,
  outcomeUnknown: false,
  answered: true,
  ...over,
});
// No outage, so that the circuit stays closed.
const harmless = faultOf({ kind: "internal" });
const outage = faultOf({ kind: "timeout" });

const newDatabase = () => connect({ url: "postgresql://role:pw@ep-1.eu.neon.tech/db", endpointOverride: "" });

/** One attempt after the other: how long it takes, and the fault that it ends in; without one it succeeds. */
type Attempt = [tookMs: number, fault?: Fault];

/** Runs an operation whose attempts go like this, and like the last one from then on. */
async function run(attempts: Attempt[], over: Partial<Operation> = {}, database: Database = newDatabase()) {
  const numbers: number[] = [];
  const operation = { name: "a test", budgetMs: BUDGET_MS, isIdempotent: true, ...over };
  const outcome = await database
    .run(operation, async (_, attempt) => {
      numbers.push(attempt);
      const [tookMs, fault] = attempts[attempt] ?? attempts.at(-1) ?? [0];
      pass(tookMs);
      if (fault !== undefined) throw new DatabaseFault("a test", fault, attempt + 1);
      return "success";
    })
    .catch((error: unknown) => error);
  return { outcome, numbers };
}

const retried = () => logged("Database operation retried");

test("what succeeds at once is sent once, and is not in the log", async () => {
  expect(await run([[5]])).toEqual({ outcome: "success", numbers: [0] });
  expect([waits, deadlines, retried()]).toEqual([[], [6000], []]);
});

test("attempts are numbered from 0 on, and the log has one line of all of them", async () => {
  const { outcome, numbers } = await run([[10, harmless], [20, harmless], [30]]);
  expect([outcome, numbers]).toEqual(["success", [0, 1, 2]]);
  expect(waits).toHaveLength(2);
  expect(retried()).toEqual([
    expect.objectContaining({
      level: "WARN",
      operation: "a test",
      kind: "internal",
      attempts: 3,
      outcome: "succeeded",
      duration_ms: waits.reduce((sum, ms) => sum + Math.ceil(ms), 60),
    }),
  ]);
});

test("two attempts are in the log, and one that fails is not", async () => {
  await run([[0, harmless], [0]]);
  expect(retried()).toMatchObject([{ attempts: 2, outcome: "succeeded" }]);
  await run([[0, faultOf({ retryable: false })]]);
  expect(retried()).toHaveLength(1);
  await run([
    [0, harmless],
    [0, faultOf({ kind: "read_only", retryable: false })],
  ]);
  expect(retried()[1]).toMatchObject({ kind: "read_only", attempts: 2, outcome: "failed" });
});

test.each([
  { retryable: true, outcomeUnknown: false, isIdempotent: false, again: true },
  { retryable: true, outcomeUnknown: false, isIdempotent: true, again: true },
  { retryable: true, outcomeUnknown: true, isIdempotent: true, again: true },
  { retryable: true, outcomeUnknown: true, isIdempotent: false, again: false },
  { retryable: false, outcomeUnknown: false, isIdempotent: true, again: false },
  { retryable: false, outcomeUnknown: true, isIdempotent: true, again: false },
])("%o", async ({ retryable, outcomeUnknown, isIdempotent, again }) => {
  const fault = faultOf({ kind: "internal", retryable, outcomeUnknown });
  const { numbers } = await run([[0, fault], [0]], { isIdempotent });
  expect(numbers).toEqual(again ? [0, 1] : [0]);
});

test("there are seven attempts at most, and then the last fault is thrown", async () => {
  const { outcome, numbers } = await run([[0, harmless]], { budgetMs: 3_600_000 });
  expect(numbers).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(outcome).toMatchObject({ fault: harmless, attempts: 7 });
});

test("what is no fault becomes one, with the number of attempts, and nothing else is thrown", async () => {
  let attempts = 0;
  const broken = newDatabase().run({ name: "a test", budgetMs: BUDGET_MS, isIdempotent: true }, async () => {
    attempts += 1;
    throw attempts === 1 ? new SyntaxError("a page of HTML") : new TypeError("a mistake");
  });
  await expect(broken).rejects.toMatchObject({
    name: "DatabaseFault",
    message: "a test failed: internal",
    attempts: 2,
    fault: { kind: "internal", retryable: false },
  });
});

describe("the budget", () => {
  test.each([
    ["of an operation", { budgetMs: 5000 }, 5000],
    ["of an attempt, which is six seconds", { budgetMs: 60_000 }, 6000],
    ["of an attempt that says it", { budgetMs: 60_000, attemptMs: 300 }, 300],
    ["of an operation that is over before the attempt would be", { budgetMs: 200, attemptMs: 300 }, 200],
  ])("%s is the deadline", async (_, over, deadline) => {
    await run([[0]], over);
    expect(deadlines).toEqual([deadline]);
  });

  test("the first attempt is made however little time there is", async () => {
    for (const budgetMs of [1, 99]) expect((await run([[0]], { budgetMs })).outcome).toBe("success");
    expect(deadlines).toEqual([1, 99]);
  });

  test("another attempt has what is left of it", async () => {
    await run([[4000, harmless], [0]]);
    const [wait = NaN] = waits;
    expect(deadlines).toEqual([6000, BUDGET_MS - 4000 - Math.ceil(wait)]);
  });

  test("with a tenth of a second left it is over", async () => {
    const { numbers, outcome } = await run([[BUDGET_MS - 100, harmless]]);
    expect([numbers, waits]).toEqual([[0], []]);
    expect(outcome).toMatchObject({ fault: harmless, attempts: 1 });
  });

  test("with a millisecond more there is another attempt, a millisecond later", async () => {
    const { numbers } = await run([[BUDGET_MS - 101, harmless], [0]]);
    expect([numbers, waits, deadlines]).toEqual([[0, 1], [1], [6000, 100]]);
  });

  test("a wait leaves time for an attempt, and is shortened for nothing else", async () => {
    await run([[0, harmless], [0]]);
    const [usual = NaN] = waits;
    expect(usual).toBeGreaterThan(1);
    waits = [];
    // As much is left as the wait and the attempt need.
    const tookMs = BUDGET_MS - 100 - Math.ceil(usual);
    await run([[tookMs, harmless], [0]]);
    expect(waits).toEqual([usual]);
    waits = [];
    await run([[BUDGET_MS - 110, harmless], [0]]);
    expect(waits).toEqual([10]);
  });

  test("an attempt that would begin too late is not made, and the last fault is thrown", async () => {
    lateMs = 1;
    const { numbers, outcome } = await run([[BUDGET_MS - 101, harmless]]);
    expect([numbers, waits]).toEqual([[0], [1]]);
    expect(outcome).toMatchObject({ fault: harmless, attempts: 1 });
    expect(retried()).toEqual([]);
  });
});

describe("the circuit", () => {
  const opened = () => logged("Database circuit opened");
  const closed = () => logged("Database circuit closed");
  const once = { isIdempotent: false };
  const unknown = faultOf({ kind: "timeout", outcomeUnknown: true });

  test("opens at the fifth failure, which is the last attempt and says what is wrong", async () => {
    const database = newDatabase();
    const { numbers, outcome } = await run([[0, outage]], { budgetMs: 3_600_000 }, database);
    expect(numbers).toEqual([0, 1, 2, 3, 4]);
    expect(waits).toHaveLength(5);
    expect(outcome).toMatchObject({ fault: outage, attempts: 5 });
    expect(opened()).toEqual([expect.objectContaining({ level: "ERROR", kind: "timeout" })]);
    expect(closed()).toEqual([]);
    expect(retried()).toMatchObject([{ attempts: 5, outcome: "failed", kind: "timeout" }]);
  });

  async function open() {
    const database = newDatabase();
    for (let i = 0; i < 5; i++) await run([[0, unknown]], once, database);
    return database;
  }

  test("while it is open nothing is sent, and the refusal says that nothing was", async () => {
    const database = await open();
    const { numbers, outcome } = await run([[0]], {}, database);
    expect(numbers).toEqual([]);
    expect(outcome).toBeInstanceOf(DatabaseFault);
    expect(outcome).toMatchObject({
      message: "a test failed: timeout",
      attempts: 0,
      fault: { kind: "timeout", retryable: false, outcomeUnknown: false, answered: false },
    });
    expect([waits, retried()]).toEqual([[], []]);
  });

  test("a probe is sent all the same, and its success closes it", async () => {
    const database = await open();
    expect((await run([[0, unknown]], { ...once, isProbe: true }, database)).numbers).toEqual([0]);
    expect([opened().length, closed().length]).toEqual([1, 0]);
    expect(await run([[0]], { isProbe: true }, database)).toEqual({ outcome: "success", numbers: [0] });
    expect(closed()).toEqual([expect.objectContaining({ level: "INFO" })]);
    expect(await run([[0]], {}, database)).toEqual({ outcome: "success", numbers: [0] });
    expect([opened().length, closed().length]).toEqual([1, 1]);
  });

  test("a success between failures keeps it closed", async () => {
    const database = newDatabase();
    for (let i = 0; i < 4; i++) await run([[0, unknown]], once, database);
    await run([[0]], once, database);
    for (let i = 0; i < 4; i++) await run([[0, unknown]], once, database);
    expect([opened(), closed()]).toEqual([[], []]);
    await run([[0, unknown]], once, database);
    expect(opened()).toHaveLength(1);
  });

  test("each database has its own", async () => {
    await open();
    expect((await run([[0]])).outcome).toBe("success");
  });
});
