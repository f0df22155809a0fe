// What one run has found, and a later one does not do again: what tests come by, and which have passed with which mutants.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import type { Mutant } from "../mutant.ts";
import { KeptCounts } from "./kept-counts.ts";
import { Tries } from "./tries.ts";

const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-kept-"));
afterAll(() => rmSync(folder, { recursive: true }));

const testFile = join(folder, "a.test.ts");
const source = join(folder, "b.ts");
let path: string;
let runs = 0;
beforeEach(() => {
  path = join(folder, `results-${(runs += 1)}.jsonl`);
  writeFileSync(testFile, "a test");
  writeFileSync(source, "a source");
});

const place = (id: string, file: string) => ({ id, file, mutator: "m", start: 0, end: 1, replacement: id });
const SOURCES = new Map([
  ["b.ts", "b"],
  ["c.ts", "c"],
]);
const PLACED = [place("7", "b.ts"), place("8", "b.ts"), place("9", "c.ts")];
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
  const counts = new KeptCounts(path, SOURCES, PLACED);
  counts.add({ kind: "covered", file: testFile, tests: [COUNTED], loaded: ["7"] });
}

test("counts are known in a later run, by the ids of that run", () => {
  expect(new KeptCounts(path, SOURCES, PLACED).of(testFile)).toBeUndefined();
  count();
  // Only one of the files is meant this time.
  const later = new KeptCounts(path, new Map([["b.ts", "b"]]), [place("0", "b.ts"), place("1", "b.ts")]);
  expect(later.of(testFile)).toEqual({
    kind: "covered",
    file: testFile,
    tests: [{ ...COUNTED, hits: { "1": 3 } }],
    loaded: ["0"],
  });
});

test("they do not hold for another test, another text of a source, or a source that was not counted", () => {
  count();
  const known = (sources: Map<string, string>) =>
    new KeptCounts(path, sources, PLACED).of(testFile) !== undefined;
  expect(known(SOURCES)).toBe(true);
  expect(known(new Map([...SOURCES, ["c.ts", "changed"]]))).toBe(false);
  expect(known(new Map([...SOURCES, ["d.ts", "d"]]))).toBe(false);
  writeFileSync(testFile, "another test");
  expect(known(SOURCES)).toBe(false);
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
  const tries = new Tries(path);
  tries.begin(...pair());
  tries.pass(...pair());
  tries.begin(...pair("b"));
  const knows = () => [new Tries(path).has(...pair()), new Tries(path).has(...pair("b"))];
  expect(knows()).toEqual([true, false]);
  expect(new Tries(path).timesOf(mutant("a"))).toBe(0);
  for (const file of [testFile, source]) {
    writeFileSync(file, "changed");
    expect(knows()).toEqual([false, false]);
    writeFileSync(file, file === testFile ? "a test" : "a source");
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
