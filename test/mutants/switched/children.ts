// What the processes that a test starts come by. They have the instrumented source, too: each writes what it has counted when
// it ends, beside the test that it belongs to.
import { appendFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { COUNTS_FILE, switchesHere, TEST_ID } from "./switches.ts";

let isWriting = false;

interface Counts {
  test: string;
  hits: Record<string, number>;
}

/** For instrumented files: what this process counts is written when it ends. */
export function writeCountsAtExit(): void {
  const { [COUNTS_FILE]: file, [TEST_ID]: test } = process.env;
  // In the process of the test itself each test is counted by its own.
  if (!file || !test || isWriting || "__vitest_worker__" in globalThis) return;
  isWriting = true;
  process.on("exit", () => {
    const counts: Counts = { test, hits: switchesHere().mutantCoverage?.static ?? {} };
    appendFileSync(file, `${JSON.stringify(counts)}\n`);
  });
}

/** What was written since the last time, by the test. */
export function takeCounts(file: string): Map<string, Record<string, number>> {
  const found = new Map<string, Record<string, number>>();
  if (!existsSync(file)) return found;
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  rmSync(file);
  for (const line of lines) {
    const { test, hits } = JSON.parse(line) as Counts;
    const all = found.get(test) ?? {};
    found.set(test, all);
    for (const [id, count] of Object.entries(hits)) all[id] = (all[id] ?? 0) + count;
  }
  return found;
}
