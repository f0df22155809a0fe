// What processes of a test come by is counted with the test.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { takeCounts } from "./children.ts";
import { COUNTS_FILE, TEST_ID } from "./switches.ts";

const folder = mkdtempSync(join(tmpdir(), "mcp-sessions-children-"));
afterAll(() => rmSync(folder, { recursive: true }));

const counts = join(folder, "counts");
const program = join(folder, "program.ts");
writeFileSync(
  program,
  `import { writeCountsAtExit } from ${JSON.stringify(resolve("test/mutants/switched/children.ts"))};
writeCountsAtExit();
writeCountsAtExit();
Object.assign(globalThis, { __stryker__: { mutantCoverage: { static: JSON.parse(process.argv[2]), perTest: {} } } });`,
);
const run = (hits: Record<string, number>, variables: Record<string, string>) =>
  execFileSync(process.execPath, [program, JSON.stringify(hits)], { env: { ...process.env, ...variables } });

test("the counts of all processes of a test are added up, and taken once", () => {
  for (const hits of [{ "1": 2 }, { "1": 1, "2": 1 }]) run(hits, { [COUNTS_FILE]: counts, [TEST_ID]: "a" });
  run({ "3": 1 }, { [COUNTS_FILE]: counts, [TEST_ID]: "b" });
  expect(takeCounts(counts)).toEqual(
    new Map([
      ["a", { "1": 3, "2": 1 }],
      ["b", { "3": 1 }],
    ]),
  );
  expect(takeCounts(counts)).toEqual(new Map());
});

test("a process of no test writes nothing", () => {
  run({ "1": 1 }, { [COUNTS_FILE]: counts, [TEST_ID]: "" });
  run({ "1": 1 }, { [COUNTS_FILE]: "", [TEST_ID]: "a" });
  expect(takeCounts(counts)).toEqual(new Map());
});
