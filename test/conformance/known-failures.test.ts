// The list of known failures, and what a run says of it.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { suiteVersions, surprisesOf } from "./known-failures.ts";
import { readScenarioNames } from "./suite.ts";

const known = { tasks: "They need a store" };

test("what passes and what is known to fail is no surprise", () => {
  const passed = new Map([
    ["ping", true],
    ["tasks", false],
  ]);
  expect(surprisesOf(passed, known)).toEqual([]);
});

test("a scenario that fails and is not in the list is a surprise", () => {
  const passed = new Map([
    ["ping", false],
    ["tasks", false],
  ]);
  expect(surprisesOf(passed, known)).toEqual(["ping fails, and is expected to pass"]);
});

test("a scenario of the list that passes is a surprise", () => {
  expect(surprisesOf(new Map([["tasks", true]]), known)).toEqual([
    "tasks passes now: take it out of the list in test/conformance/known-failures.ts",
  ]);
});

test("a name in the list that is no scenario is a surprise", () => {
  expect(surprisesOf(new Map([["ping", true]]), known)).toEqual([
    "tasks is no scenario of this version: take it out of the list in test/conformance/known-failures.ts",
  ]);
});

test("the names of the scenarios are read from the suite's list", () => {
  const list = [
    "Server scenarios (test against a server):",
    "  - ping [2025-06-18,2025-11-25]",
    "  - tasks-lifecycle [extension]",
    "",
  ];
  expect(readScenarioNames(list.join("\n"))).toEqual(["ping", "tasks-lifecycle"]);
});

test("package.json pins exactly the versions of the list", () => {
  const { devDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
  const pinned = Object.entries(devDependencies).filter(([name]) => name.startsWith("conformance-"));
  expect(Object.fromEntries(pinned)).toEqual(
    Object.fromEntries(
      suiteVersions.map((version) => [
        `conformance-${version}`,
        `npm:@modelcontextprotocol/conformance@${version}`,
      ]),
    ),
  );
});
