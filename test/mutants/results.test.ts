// What a file of results lets a later run leave out.
import { appendFileSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { mutantsOf } from "./mutant.ts";
import { Results, ResultsFile } from "./results.ts";

let file: string;
let otherTest: string;
let tests: string[];
let path: string;

beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "results-"));
  file = join(folder, "a.sql");
  otherTest = join(folder, "b.test.ts");
  tests = [join(folder, "a.test.ts"), otherTest];
  path = join(folder, "results.jsonl");
  for (const each of [file, ...tests]) writeFileSync(each, "a = b");
});

const mutants = () => {
  const change = { mutator: "comparison", start: 2, end: 3 };
  return mutantsOf("room", file, "a = b", [
    { ...change, replacement: "<>" },
    { ...change, replacement: "<" },
  ]);
};
const opened = () => new Results(new ResultsFile(path, [file, ...tests]), () => tests);
const outcomes = () => {
  const results = opened();
  return mutants().map((mutant) => results.of(mutant)?.outcome);
};
function add(outcome: "killed" | "survived" | "invalid", nth = 1) {
  const results = opened();
  const by = outcome === "killed" ? `${tests[0]}: a test` : "";
  for (const mutant of mutants().slice(nth - 1, nth)) results.add({ mutant, outcome, by });
}

test("a mutant that was tried is not tried again, and another one is", () => {
  add("survived");
  expect(outcomes()).toEqual(["survived", undefined]);
});

test("the last result counts", () => {
  add("survived");
  add("killed");
  add("killed", 2);
  expect(outcomes()).toEqual(["killed", "killed"]);
});

test.each<["killed" | "survived" | "invalid", counts: string[]]>([
  ["killed", ["another test"]],
  ["survived", []],
  ["invalid", ["the test that kills", "another test"]],
])("one that is %s counts when this has changed since: %j", (outcome, counting) => {
  add(outcome);
  const [killer = ""] = tests;
  const paths = { "the mutated file": file, "the test that kills": killer, "another test": otherTest };
  for (const [what, changed] of Object.entries(paths)) {
    writeFileSync(changed, "a = c");
    expect([what, outcomes()]).toEqual([what, [counting.includes(what) ? outcome : undefined, undefined]]);
    writeFileSync(changed, "a = b");
  }
});

test("a result does not count when a test was added", () => {
  add("survived");
  tests = [...tests, file];
  expect(outcomes()).toEqual([undefined, undefined]);
});

test("what changes while a run goes on is not what it has tried", () => {
  const results = opened();
  writeFileSync(otherTest, "a = c");
  for (const mutant of mutants()) results.add({ mutant, outcome: "survived", by: "" });
  expect(outcomes()).toEqual([undefined, undefined]);
  writeFileSync(otherTest, "a = b");
  expect(outcomes()).toEqual(["survived", "survived"]);
});

test("a line that was cut off by the end of a run is no result, and spoils none after it", () => {
  add("killed");
  appendFileSync(path, '\n{"id":"');
  add("survived", 2);
  expect(outcomes()).toEqual(["killed", "survived"]);
});
