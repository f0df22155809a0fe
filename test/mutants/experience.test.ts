// In which order tests are tried, and when one counts as hung.
import { expect, test } from "vitest";
import { Experience } from "./experience.ts";
import type { Mutant } from "./mutant.ts";

const mutant: Mutant = {
  id: "1",
  room: "room",
  file: "src/room/file.ts",
  mutator: "number",
  line: "",
  change: "",
  nth: 1,
  start: 0,
  end: 0,
  replacement: "",
};
const failed = (file: string, ms: Record<string, number>) =>
  ({ kind: "failed", file, test: "a test", ms }) as const;
const killed = { mutant, outcome: "killed", by: "" } as const;

test("a file that failed ended early, so its time is not known", () => {
  const experience = new Experience();
  const unknown = experience.limitMsOf("slow");
  experience.time(failed("slow", { slow: 10, quick: 20 }));
  expect(experience.limitMsOf("slow")).toBe(unknown);
  expect(experience.limitMsOf("quick")).toBeLessThan(unknown);
  experience.time({ kind: "passed", ms: { slow: 90_000 } });
  experience.time({ kind: "passed", ms: { slow: 50 } });
  expect(experience.limitMsOf("slow")).toBeGreaterThan(unknown);
});

test("what has killed in the file comes before what has killed in the room, and that before all else", () => {
  const experience = new Experience();
  const other = { ...killed, mutant: { ...mutant, file: "src/room/other.ts" } };
  experience.learn(other, failed("of the room", {}));
  experience.learn(killed, failed("of the file", {}));
  experience.learn(killed, { kind: "passed", ms: {} });
  expect(experience.ordered(mutant, ["a", "b", "of the room", "of the file"])).toEqual([
    "of the file",
    "of the room",
    "a",
    "b",
  ]);
});

test("of two that have killed as often the quicker one comes first", () => {
  const experience = new Experience();
  for (const file of ["slow", "quick"]) experience.learn(killed, failed(file, {}));
  experience.time({ kind: "passed", ms: { slow: 900, quick: 100 } });
  expect(experience.ordered(mutant, ["slow", "quick"])).toEqual(["quick", "slow"]);
});

test("the test that is about a file comes before what has killed, and is not tried when it is not left", () => {
  const experience = new Experience();
  experience.learn(killed, failed("killer", {}));
  expect(experience.ordered(mutant, ["a", "killer", "own"], "own")).toEqual(["own", "killer", "a"]);
  expect(experience.ordered(mutant, ["a", "killer"], "own")).toEqual(["killer", "a"]);
});
