// A mutant is killed when a test fails with it, and only with it.
import { expect, test } from "vitest";
import { Verdicts } from "./verdicts.ts";

const killed = (mutant: string, isLate = false) => ({ kind: "killed", test: "t", mutant, isLate });
const unsound = (mutant: string | null) => ({ kind: "unsound", test: "t", mutant });

/** A test as Vitest runs it: an attempt without a mutant, one for each, and one more after each that fails. */
function runTest(
  verdicts: Verdicts,
  mutants: string[],
  fails: (mutant: string | undefined, before: string[]) => boolean,
  { id = "t", error = "" } = {},
) {
  type Attempts = NonNullable<NonNullable<Parameters<Verdicts["begin"]>[0]["result"]>["attempts"]>;
  const attempts: Attempts = [];
  const running = { id, result: { state: "run" as const, attempts, repeatCount: 0 } };
  const tried: string[] = [];
  const said: unknown[] = [];
  const repeats = verdicts.repeatsOf(
    running,
    mutants.map((name) => ({ id: name, hitLimit: 1 })),
  );
  for (let repeatIndex = 0; repeatIndex <= repeats; repeatIndex++) {
    running.result.repeatCount = repeatIndex;
    for (const retryIndex of [0, 1]) {
      const { mutant, isOver, messages } = verdicts.begin(running);
      said.push(...messages);
      if (isOver) return { tried, said };
      const hasFailed = fails(mutant?.id, tried);
      tried.push(mutant?.id ?? "-");
      const errors = [{ message: error }];
      const times = { duration: 1, startTime: 1, retryIndex, repeatIndex };
      attempts.push({ state: hasFailed ? "fail" : "pass", errors, ...times });
      if (!hasFailed) break;
    }
  }
  return { tried, said: [...said, ...verdicts.end()] };
}

test("a mutant is killed when the test fails with it and passes once more without", () => {
  const { tried, said } = runTest(new Verdicts(false), ["a", "b", "c"], (mutant) => mutant === "b");
  expect(tried).toEqual(["-", "a", "b", "-", "c"]);
  expect(said).toEqual([killed("b")]);
});

test("so is the last one, and one that makes the test late is told apart", () => {
  const late = { error: "Test timed out in 10000ms." };
  const { said } = runTest(new Verdicts(false), ["a"], (mutant) => mutant === "a", late);
  expect(said).toEqual([killed("a", true)]);
});

test("a test that fails ever after ends: it says of a later mutant that it is not known", () => {
  const verdicts = new Verdicts(false);
  const { tried, said } = runTest(verdicts, ["a", "b", "c"], (_, before) => before.includes("a"));
  expect(tried).toEqual(["-", "a", "b", "-"]);
  expect(said).toEqual([unsound("b")]);
  expect(verdicts.isSpoilt).toBe(true);
});

test("it says of the first mutant that it is killed: without one, the test passes twice", () => {
  const verdicts = new Verdicts(false);
  const { tried, said } = runTest(verdicts, ["a", "b"], (_, before) => before.length > 0);
  expect(tried).toEqual(["-", "a", "-"]);
  expect(said).toEqual([killed("a")]);
  expect(verdicts.isSpoilt).toBe(true);
});

test("a test that fails at once and once more is to blame, unless another one has left something behind", () => {
  expect(runTest(new Verdicts(false), ["a"], () => true)).toEqual({
    tried: ["-", "-"],
    said: [unsound(null)],
  });
  expect(runTest(new Verdicts(true), ["a"], () => true)).toEqual({ tried: ["-", "-"], said: [] });
  const verdicts = new Verdicts(false);
  runTest(verdicts, ["a"], (_, before) => before.length > 0, { id: "before" });
  expect(runTest(verdicts, ["b"], () => true).said).toEqual([]);
});

test("a test that fails only at first says nothing, and goes on", () => {
  const { tried, said } = runTest(new Verdicts(false), ["a"], (_, before) => before.length === 0);
  expect(tried).toEqual(["-", "-", "a"]);
  expect(said).toEqual([]);
});

test("what one test of the file has killed, the next one does not try", () => {
  const verdicts = new Verdicts(false);
  runTest(verdicts, ["a", "b"], (mutant) => mutant === "a", { id: "before" });
  expect(runTest(verdicts, ["a", "b"], () => false).tried).toEqual(["-", "b"]);
});
