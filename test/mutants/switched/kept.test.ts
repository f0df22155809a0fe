// What one run has found, and a later one does not do again: what tests come by, and which have passed with which mutants.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import type { Mutant } from "../mutant.ts";
import { ResultsFile } from "../results.ts";
import { KeptCounts } from "./kept-counts.ts";
import { Tries } from "./tries.ts";

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

const place = (id: string, file: string) => ({ id, file, mutator: "m", start: 0, end: 1, replacement: id });
const PLACED = [place("7", source), place("8", source), place("9", other)];
const COUNTED = {
  id: "t",
  name: "a test",
  ms: 1,
  firstMs: 2,
  isSound: true,
  hits: { "8": 3, "9": 1, "routine x": 1 },
  names: ["mcp_x"],
};

function count(): void {
  const counts = new KeptCounts(opened(), [source, other], PLACED);
  counts.add({ kind: "covered", file: testFile, tests: [COUNTED], loaded: ["7"] });
}

test("counts are known in a later run, by the ids of that run", () => {
  expect(new KeptCounts(opened(), [source, other], PLACED).of(testFile)).toBeUndefined();
  count();
  // Only one of the files is meant this time.
  const later = new KeptCounts(opened(), [source], [place("0", source), place("1", source)]);
  expect(later.of(testFile)).toEqual({
    kind: "covered",
    file: testFile,
    tests: [{ ...COUNTED, hits: { "1": 3 } }],
    loaded: ["0"],
  });
});

test("they do not hold for another text of the test or of a source, or for a source that was not counted", () => {
  count();
  const isKnown = (sources = [source, other]) =>
    new KeptCounts(opened(), sources, PLACED).of(testFile) !== undefined;
  expect(isKnown()).toBe(true);
  expect(isKnown([source, other, testFile])).toBe(false);
  for (const file of [testFile, source, other]) {
    writeFileSync(file, "changed");
    expect(isKnown()).toBe(false);
    writeFileSync(file, "as it was");
    expect(isKnown()).toBe(true);
  }
});

test("what changes while a run goes on is not what it has counted or tried", () => {
  const counts = new KeptCounts(opened(), [source], PLACED);
  const tries = new Tries(opened());
  writeFileSync(testFile, "changed");
  counts.add({ kind: "covered", file: testFile, tests: [COUNTED], loaded: [] });
  tries.pass(...pair());
  expect(new KeptCounts(opened(), [source], PLACED).of(testFile)).toBeUndefined();
  expect(new Tries(opened()).has(...pair())).toBe(false);
});

const mutant = (id: string): Mutant => ({
  ...place(id, source),
  room: "room",
  line: "",
  change: "",
  nth: 1,
});
const pair = (id = "a") => [{ id: "t", file: testFile }, mutant(id)] as const;

test("a test that has passed with a mutant is not tried with it in a later run, until one of the two changes", () => {
  const tries = new Tries(opened());
  tries.begin(...pair());
  tries.pass(...pair());
  tries.begin(...pair("b"));
  const knows = () => [new Tries(opened()).has(...pair()), new Tries(opened()).has(...pair("b"))];
  expect(knows()).toEqual([true, false]);
  expect(new Tries(opened()).timesOf(mutant("a"))).toBe(0);
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
  expect([tries.has(...pair()), tries.timesOf(mutant("a"))]).toEqual([true, 1]);
  tries.doubt(...pair());
  expect([tries.has(...pair()), tries.timesOf(mutant("a"))]).toEqual([false, 0]);
  expect([tries.isDoubtful(...pair()), tries.isDoubtful(...pair("b"))]).toEqual([true, false]);
  expect(tries.has(...pair("b"))).toBe(true);
});
