// Which tests are tried with a mutant first, and when it is enough.
import { expect, test } from "vitest";
import type { Mutant } from "../mutant.ts";
import { Coverage } from "./coverage.ts";
import type { Covered } from "./messages.ts";
import { Rounds } from "./rounds.ts";
import { Tries } from "./tries.ts";

const SOURCE = "src/session/keys.ts";
const ROUTINE = "drizzle/routines/mcp_open.sql";
const IN_NODE = "test/drizzle/hours.test.ts";
const FILES = ["test/session/keys.test.ts", "test/session/a.test.ts", "test/session/b.test.ts", IN_NODE];
const mutantOf = (id: string, file: string, start = 0): [string, Mutant] => [
  id,
  { id, file, room: "", line: "", change: "", nth: 1, mutator: "", start, end: start, replacement: "" },
];
const limits = { upToMs: 100, forMs: 1000, atMost: 10 };

type Told = Partial<Covered> & { id: string };

/** Tests of each file, by what is said of them. All come by the mutants 1 and 2 once, unless it says otherwise. */
function roundsOf(files: Record<string, Told[]>) {
  const place = { mutator: "", start: 0, end: 0, replacement: "" } as const;
  const coverage = new Coverage([{ ...place, id: "9", file: ROUTINE }], (names) =>
    names.length === 0 ? new Map() : new Map([[ROUTINE, names.includes("mcp_open") ? 0 : 1]]),
  );
  for (const [file, tests] of Object.entries(files)) {
    const told = tests.map((own) => ({
      name: own.id,
      ms: 1,
      firstMs: 1,
      isSound: true,
      hits: { "1": 1, "2": 1 },
      names: [],
      marks: [],
      ...own,
    }));
    coverage.learn({ kind: "covered", file, tests: told, loaded: [] });
  }
  const tries = new Tries(undefined);
  const testOf = (id: string) => {
    const found = coverage.tests().find((own) => own.id === id);
    if (found === undefined) throw new Error(`No test ${id}`);
    return found;
  };
  return { rounds: new Rounds(coverage, tries, () => FILES), tries, testOf };
}

const [KEYS = "", A = "", B = ""] = FILES;
const one = mutantOf("1", SOURCE);
const two = mutantOf("2", SOURCE);

test("no more tests than are asked for: the namesake, then what comes by few", () => {
  const broad = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [String(index), 1]));
  const { rounds } = roundsOf({
    [A]: [{ id: "few", ms: 5 }],
    [B]: [{ id: "wide", hits: broad }],
    [KEYS]: [{ id: "own", hits: broad }],
  });
  const round = rounds.plan([one], { ...limits, atMost: 2 });
  expect(round.plan).toEqual({ own: [{ id: "1", hitLimit: 1100 }], few: [{ id: "1", hitLimit: 1100 }] });
  expect(round.pairs).toBe(2);
  expect(round.files.toSorted()).toEqual([A, KEYS]);
});

test("what takes long, fails by itself, is not of these files, or says nothing is left out", () => {
  const { rounds } = roundsOf({
    [A]: [
      { id: "long", ms: 101 },
      { id: "unsound", isSound: false },
      { id: "mute" },
      { id: "good", ms: 100 },
    ],
    "test/other.test.ts": [{ id: "other" }],
  });
  rounds.leaveOut("mute");
  expect(Object.keys(rounds.plan([one], limits).plan)).toEqual(["good"]);
});

test("a mutant is tried for as long as it may, and what was tried is not tried again", () => {
  const { rounds, tries, testOf } = roundsOf({
    [A]: [
      { id: "a", ms: 90 },
      { id: "b", ms: 91 },
      { id: "c", ms: 92 },
    ],
  });
  const tried = () => Object.keys(rounds.plan([one], { ...limits, forMs: 101 }).plan);
  expect(tried()).toEqual(["a", "b"]);
  tries.begin(testOf("a"), one[1]);
  expect(tried()).toEqual(["b"]);
  tries.begin(testOf("b"), one[1]);
  expect(tried()).toEqual([]);
});

test("what has killed another mutant of the file comes first, and of other files says nothing", () => {
  const { rounds, testOf } = roundsOf({ [A]: [{ id: "a" }, { id: "b", ms: 2 }, { id: "c", ms: 3 }] });
  const first = () => Object.keys(rounds.plan([one], { ...limits, atMost: 1 }).plan);
  expect(first()).toEqual(["a"]);
  rounds.learnKill(testOf("b"), mutantOf("3", "src/session/other.ts")[1]);
  expect(first()).toEqual(["a"]);
  rounds.learnKill(testOf("c"), two[1]);
  expect(first()).toEqual(["c"]);
});

test("what has killed one beside it comes before what has killed more of the file", () => {
  const { rounds, testOf } = roundsOf({ [A]: [{ id: "a" }, { id: "b" }, { id: "c" }] });
  for (const [killer, start] of [
    ["b", 5000],
    ["b", 5001],
    ["c", 300],
  ] as const)
    rounds.learnKill(testOf(killer), mutantOf("3", SOURCE, start)[1]);
  const first = (start: number) =>
    Object.keys(rounds.plan([mutantOf("1", SOURCE, start)], { ...limits, atMost: 1 }).plan);
  expect([first(0), first(600), first(601), first(5000)]).toEqual([["c"], ["c"], ["b"], ["b"]]);
});

test("what earlier runs have found counts as well", () => {
  const { rounds } = roundsOf({ [A]: [{ id: "a" }, { id: "b" }, { id: "c" }, { id: "d" }] });
  const [, mutant] = mutantOf("3", SOURCE);
  rounds.learnResults([
    { mutant, outcome: "survived", by: "" },
    { mutant, outcome: "timed out", by: `${A}: b` },
    { mutant, outcome: "killed", by: `${A}: c` },
    { mutant, outcome: "killed", by: `${A}: gone` },
  ]);
  expect(Object.keys(rounds.plan([one], { ...limits, atMost: 2 }).plan)).toEqual(["c", "a"]);
});

test("of a routine, the test whose statements name it comes first", () => {
  const { rounds } = roundsOf({
    [KEYS]: [{ id: "trigger", names: ["mcp_sessions"] }, { id: "none" }],
    [A]: [{ id: "near", ms: 50, names: ["mcp_open"] }],
    [IN_NODE]: [{ id: "has a database of its own", names: ["mcp_open"] }],
  });
  const { plan } = rounds.plan([mutantOf("9", ROUTINE)], limits);
  expect(Object.keys(plan)).toEqual(["near", "trigger"]);
});

test("what is doubtful is the first of its test", () => {
  const { rounds, tries, testOf } = roundsOf({ [A]: [{ id: "a" }] });
  tries.begin(testOf("a"), two[1]);
  tries.doubt(testOf("a"), two[1]);
  expect(rounds.plan([one, two], limits).plan["a"]?.map(({ id }) => id)).toEqual(["2", "1"]);
});
