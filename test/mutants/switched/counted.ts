// What can take turns: the mutants of TypeScript, and those of the routines.
import { globSync, readFileSync } from "node:fs";
import type { Mutant } from "../mutant.ts";
import type { ResultsFile } from "../results.ts";
import { projectOf, type Room } from "../rooms.ts";
import { instrument } from "../source.ts";
import type { Result, Worker } from "../worker.ts";
import { KeptCounts } from "./kept-counts.ts";
import { isRoutine, placedInRoutine, reachOf } from "./routines.ts";
import { Tries } from "./tries.ts";
import { type Progress, Turns } from "./turns.ts";

export const canTakeTurns = (file: string): boolean => file.endsWith(".ts") || isRoutine(file);

/** Where the mutants of a file can: what the source of the Worker does in Node's tests, it does in their processes. */
const projectFor = (file: string) => (file.startsWith("src/") || isRoutine(file) ? "worker" : "node");

/**
 * Finds what the tests come by, with all workers at once.
 * @param rooms of these mutants.
 * @param known what earlier runs have found.
 */
export async function countedTurns(
  rooms: Room[],
  mutants: Mutant[],
  workers: Worker[],
  results: ResultsFile | undefined,
  known: readonly Result[],
  progress: Progress,
): Promise<Turns> {
  const testsOf = new Map(rooms.flatMap((room) => room.files.map((file) => [file, room.testsOf(file)])));
  const meant = [...new Set(mutants.map(({ file }) => file))];
  const textsOf = (files: string[]) => new Map(files.map((file) => [file, readFileSync(file, "utf8")]));
  const sources = textsOf(meant.filter((file) => !isRoutine(file)));
  const instrumented = await instrument(sources);
  const routines = textsOf(globSync("drizzle/routines/*.sql").toSorted());
  for (const [file, text] of routines) instrumented.placed.push(...placedInRoutine(file, text, mutants));
  const reach = reachOf(routines);
  const kept = results && new KeptCounts(results, sources, routines, instrumented.placed);
  const turns = new Turns(
    ({ file }) => testsOf.get(file) ?? [],
    mutants,
    instrumented,
    reach,
    new Tries(results),
    progress,
  );
  const testsFor = (file: string) =>
    (testsOf.get(file) ?? []).filter((test) => projectOf(test) === projectFor(file));
  const tests = [...new Set(meant.flatMap(testsFor))].filter((test) => {
    const counts = kept?.of(test);
    if (counts !== undefined) turns.learn(counts);
    return counts === undefined;
  });
  await Promise.all(
    workers.map((worker, own) =>
      turns.count(
        worker,
        tests.filter((_, index) => index % workers.length === own),
        (counts) => kept?.add(counts),
      ),
    ),
  );
  turns.learnResults(known);
  return turns;
}
