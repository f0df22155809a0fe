// What one run has found, and a later one does not do again: what tests come by, and which have passed with which mutants.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import type { Mutant } from "../mutant.ts";
import { ResultsFile } from "../results.ts";
import { KeptCounts } from "./kept-counts.ts";
import { costOf, Tries } from "./tries.ts";

const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-kept-"));
afterAll(() => rmSync(folder, { recursive: true }));

const [testFile = "", source = "", other = ""] = ["a.test.ts", "b.ts", "c.ts"].map((name) =>
  join(folder, name),
);
let path: string;
let runs = 0;
beforeEach(() => {
  path = join(folder, `results-${(runs += 1)}.jsonl`);
  for (const file of [testFile, source, other]) writeFileSync(file, "as it was");
});
/** As a run opens it. */
const opened = () => new ResultsFile(path, [testFile, source, other]);

// The mutants of a source are one for each letter.
const textOf = (letters: string) => new Map([source, other].map((file) => [file, letters]));
const placed = (letters: string, first = 0) =>
  [source, other].flatMap((file, nth) =>
    Array.from(letters, (letter, start) => ({
      id: String(first + nth * letters.length + start),
      file,
      mutator: "m",
      start,
      end: start + 1,
      replacement: `not ${letter}`,
    })),
  );
const counted = (hits: Record<string, number>) => ({
  id: "t",
  name: "a test",
  ms: 1,
  firstMs: 2,
  isSound: true,
  hits,
  names: ["mcp_x"],
  marks: [],
});
const ROUTINES = new Map([["drizzle/routines/mcp_x.sql", "BEGIN NULL; END"]]);
const keeper = (letters = "abc", first = 0) =>
  new KeptCounts(opened(), textOf(letters), ROUTINES, placed(letters, first));

/** A run has found that the test comes by b of the one file and a of the other; c is loaded. */
function count(): void {
  const tests = [counted({ "1": 3, "3": 1, "routine x": 1 })];
  keeper().add({ kind: "covered", file: testFile, tests, loaded: ["2"] });
}

test("counts are known in a later run, by the ids of that run", () => {
  expect(keeper().of(testFile)).toBeUndefined();
  count();
  expect(keeper("abc", 100).of(testFile)).toEqual({
    kind: "covered",
    file: testFile,
    tests: [counted({ "101": 3, "103": 1 })],
    loaded: ["102"],
  });
});

test("in a file that has changed, a mutant that is new is come by with any other one", () => {
  count();
  writeFileSync(source, "changed");
  const another = { id: "new", file: source, mutator: "m", start: 0, end: 1, replacement: "new" };
  const later = new KeptCounts(opened(), textOf("abc"), ROUTINES, [...placed("abc"), another]);
  expect(later.of(testFile)?.tests).toEqual([counted({ "0": 1, "1": 3, "3": 1, new: 1 })]);
});

test("they do not hold for another text of the test, or for a source that was not counted", () => {
  count();
  expect(keeper().of(testFile)).toBeDefined();
  const more = new Map([...textOf("abc"), [testFile, "a"]]);
  expect(new KeptCounts(opened(), more, ROUTINES, placed("abc")).of(testFile)).toBeUndefined();
  writeFileSync(testFile, "changed");
  expect(keeper().of(testFile)).toBeUndefined();
});

test("for mutants of routines they hold while no routine changes", () => {
  count();
  const [file = ""] = ROUTINES.keys();
  const mutants = [{ id: "routine x", file, mutator: "m", start: 6, end: 10, replacement: "" }];
  const changed = new Map([[file, "BEGIN NULL; NULL; END"]]);
  const isKnown = (routines: Map<string, string>, own: typeof mutants) =>
    new KeptCounts(opened(), new Map(), routines, own).of(testFile) !== undefined;
  expect([isKnown(ROUTINES, mutants), isKnown(changed, mutants), isKnown(changed, [])]).toEqual([
    true,
    false,
    true,
  ]);
});

test("what changes while a run goes on is not what it has counted or tried", () => {
  const counts = keeper();
  const tries = new Tries(opened());
  writeFileSync(testFile, "changed");
  counts.add({ kind: "covered", file: testFile, tests: [counted({})], loaded: [] });
  tries.pass(...pair());
  expect(keeper().of(testFile)).toBeUndefined();
  expect(new Tries(opened()).has(...pair())).toBe(false);
});

const mutant = (id: string): Mutant => ({
  id,
  file: source,
  mutator: "m",
  start: 0,
  end: 1,
  replacement: "",
  room: "room",
  line: "",
  change: "",
  nth: 1,
});
const pair = (id = "a") => [{ id: "t", file: testFile, ms: 5 }, mutant(id)] as const;

test("a test that has passed with a mutant is not tried with it in a later run, until one of the two changes", () => {
  const tries = new Tries(opened());
  tries.begin(...pair());
  tries.pass(...pair());
  tries.begin(...pair("b"));
  const knows = () => [new Tries(opened()).has(...pair()), new Tries(opened()).has(...pair("b"))];
  expect(knows()).toEqual([true, false]);
  expect(tries.spentOn(mutant("a"))).toBe(costOf({ ms: 5 }));
  expect(new Tries(opened()).spentOn(mutant("a"))).toBe(0);
  for (const file of [testFile, source]) {
    writeFileSync(file, "changed");
    expect(knows()).toEqual([false, false]);
    writeFileSync(file, "as it was");
    expect(knows()).toEqual([true, false]);
  }
});

test("what is in doubt is tried again, and does not count as tried", () => {
  const tries = new Tries(undefined);
  tries.begin(...pair());
  tries.begin(...pair("b"));
  tries.pass(...pair("b"));
  expect([tries.has(...pair()), tries.spentOn(mutant("a"))]).toEqual([true, costOf({ ms: 5 })]);
  tries.doubt(...pair());
  expect([tries.has(...pair()), tries.spentOn(mutant("a"))]).toEqual([false, 0]);
  expect([tries.isDoubtful(...pair()), tries.isDoubtful(...pair("b"))]).toEqual([true, false]);
  expect(tries.has(...pair("b"))).toBe(true);
});
