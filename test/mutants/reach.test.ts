// Which tests are tried for a mutant: those that reach it, and never too few.
import { expect, test } from "vitest";
import { mutantsOf } from "./mutant.ts";
import { Reach } from "./reach.ts";
import { instrument, sourceChanges } from "./source.ts";

const FILE = "file.ts";
const SOURCE = [
  "export const sum = (a: number, b: number) => { return a + b; };",
  "export const query = (id: string) => sql`SELECT WHERE a = 1`;",
  "const TABLE = sql`SELECT WHERE b = 2`;",
].join("\n");

const { placed, contents } = await instrument(new Map([[FILE, SOURCE]]));
const mutants = mutantsOf("room", FILE, SOURCE, await sourceChanges(FILE, SOURCE));
const TESTS = ["sum.test.ts", "query.test.ts", "new.test.ts"];

/** The tests for the first mutant of a line, when two of them have run, and have reached a line each. */
function testsFor(line: string) {
  const reach = new Reach({ placed, contents });
  for (const name of ["sum", "query"]) {
    const start = SOURCE.indexOf(`export const ${name}`);
    const end = SOURCE.indexOf("\n", start);
    const ids = placed.filter((place) => place.start >= start && place.end <= end).map(({ id }) => id);
    expect(ids).not.toEqual([]);
    reach.learn(`${name}.test.ts`, ids);
  }
  return mutants
    .filter((mutant) => mutant.line.includes(line))
    .map((mutant) => [mutant.mutator, reach.of(mutant, TESTS)]);
}

test("a test that does not come by a mutant is not tried, and one of which nothing is known is", () => {
  expect(testsFor("a + b")).toContainEqual(["ArithmeticOperator", ["sum.test.ts", "new.test.ts"]]);
});

test("the SQL of a template is reached with the function that it stands in", () => {
  expect(testsFor("a = 1")).toContainEqual(["sql comparison", ["query.test.ts", "new.test.ts"]]);
});

test("what stands in no function is reached by whatever loads its file", () => {
  expect(testsFor("b = 2")).toContainEqual(["sql comparison", TESTS]);
});

test("what is reached is counted under the ids of the places", () => {
  const text = contents.get(FILE) ?? "";
  expect(placed.filter(({ id }) => !text.includes(`"${id}"`))).toEqual([]);
});
