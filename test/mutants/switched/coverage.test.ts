// Which tests are tried for a mutant: those that come by it, and never too few.
import { expect, test } from "vitest";
import { type Mutant, mutantsOf } from "../mutant.ts";
import { instrument, sourceChanges } from "../source.ts";
import { sqlChanges } from "../sql/mutators.ts";
import { Coverage, type CoveredTest, switchOf } from "./coverage.ts";
import { placedInRoutine } from "./routines.ts";

const FILE = "file.ts";
const SOURCE = [
  'import { sql } from "drizzle-orm";',
  "export const sum = (a: number, b: number) => { return a + b; };",
  "export const query = (id: string) => sql`SELECT WHERE a = 1`;",
  "const TABLE = sql`SELECT WHERE b = 2`;",
  "const LIST = [1];",
].join("\n");

const { placed, contents } = await instrument(new Map([[FILE, SOURCE]]));
const mutants = mutantsOf("room", FILE, SOURCE, await sourceChanges(FILE, SOURCE));
const TESTS = ["sum.test.ts", "query.test.ts", "new.test.ts"];

/** What stands in a line of the source, by the ids of the instrumented source. */
function idsIn(line: string): string[] {
  const start = SOURCE.indexOf(line);
  const end = SOURCE.indexOf("\n", start) < 0 ? SOURCE.length : SOURCE.indexOf("\n", start);
  return placed.filter((place) => place.start >= start && place.end <= end).map(({ id }) => id);
}

/** Two test files have run, and have come by a line each. */
function coverage(): Coverage {
  const known = new Coverage(placed);
  for (const name of ["sum", "query"]) {
    const ids = idsIn(`export const ${name}`);
    expect(ids).not.toEqual([]);
    known.learn({
      kind: "covered",
      file: `${name}.test.ts`,
      tests: [
        {
          id: name,
          name,
          ms: 1,
          firstMs: 1,
          isSound: true,
          hits: Object.fromEntries(ids.map((id) => [id, 1])),
          names: [],
          marks: [],
        },
      ],
      loaded: [...idsIn("const TABLE"), ...idsIn("const LIST")],
    });
  }
  return known;
}

function testsFor(line: string, isTried?: (covered: CoveredTest) => boolean) {
  const known = coverage();
  return mutants
    .filter((mutant) => mutant.line.includes(line))
    .map((mutant) => [mutant.mutator, known.of(mutant, TESTS, isTried)]);
}

test("a test that does not come by a mutant is not tried, and one of which nothing is known is", () => {
  expect(testsFor("a + b")).toContainEqual(["ArithmeticOperator", ["sum.test.ts", "new.test.ts"]]);
});

test("a test file is not tried again when each of its tests that come by a mutant has been", () => {
  expect(testsFor("a + b", ({ id }) => id === "sum")).toContainEqual(["ArithmeticOperator", ["new.test.ts"]]);
});

test("the SQL of a template is come by with the function that it stands in", () => {
  expect(testsFor("a = 1")).toContainEqual(["sql comparison", ["query.test.ts", "new.test.ts"]]);
});

test("what stands in no function is come by by whatever loads its file", () => {
  expect(testsFor("b = 2")).toContainEqual(["sql comparison", TESTS]);
  expect(testsFor("LIST", () => true)).toContainEqual(["ArrayDeclaration", TESTS]);
});

test("of what is loaded, tests that come by its file are tried first, the cheapest before", () => {
  const known = coverage();
  const one = (file: string, firstMs: number, line: string): void =>
    known.learn({
      kind: "covered",
      file,
      tests: [
        {
          id: file,
          name: file,
          ms: 1,
          firstMs,
          isSound: true,
          hits: Object.fromEntries(idsIn(line).map((id) => [id, 1])),
          names: [],
          marks: [],
        },
      ],
      loaded: [],
    });
  one("far.test.ts", 0, "nothing of it");
  one("slow.test.ts", 9, "export const sum");
  const [loaded] = mutants.filter(({ line }) => line.includes("LIST"));
  if (loaded === undefined) throw new Error("There is one");
  const files = ["far.test.ts", "slow.test.ts", "new.test.ts", "query.test.ts"];
  expect(known.of(loaded, files)).toEqual(["query.test.ts", "slow.test.ts", "new.test.ts", "far.test.ts"]);
});

test("a mutant of a routine is come by with its statement, and without one with the routine", () => {
  const file = "drizzle/routines/mcp_f.sql";
  const body = "LANGUAGE plpgsql AS $$ BEGIN IF a THEN b := 1; END IF; END $$";
  const query = "LANGUAGE sql AS $$ SELECT 1 $$";
  const idsOf = (text: string, ...marks: string[]) => {
    const own = mutantsOf("room", file, text, sqlChanges(text));
    const known = new Coverage(placedInRoutine(file, text, own), () => new Map([[file, 0]]));
    const one = { id: "t", name: "t", ms: 1, firstMs: 1, isSound: true, hits: {}, names: [], marks };
    known.learn({ kind: "covered", file: "test/mcp/a.test.ts", tests: [one], loaded: [] });
    const isHit = ({ id }: Mutant) => known.testsBy(`routine ${id}`).length > 0;
    return own.filter(isHit).map(({ change }) => change);
  };
  expect(idsOf(body)).toEqual([]);
  expect(idsOf(body, "mcp_f 0", "mcp_other 1")).toEqual(["a → true", "a → false"]);
  expect(idsOf(body, "mcp_f 1")).toEqual(["1 → 2", "1 → 0"]);
  expect(idsOf(query)).toEqual(["1 → 2", "1 → 0"]);
});

test("instrumented source knows each mutant", () => {
  const text = contents.get(FILE) ?? "";
  const ids = mutants.map((mutant) => switchOf(mutant, placed));
  expect(new Set(ids).size).toBe(mutants.length);
  expect(ids.filter((id) => id === undefined || !text.includes(`"${id}"`))).toEqual([]);
});
