// Tries what can take turns: the mutants of TypeScript, and those of the routines.
import { globSync, readFileSync } from "node:fs";
import type { Mutant } from "../mutant.ts";
import { projectOf, type Room } from "../rooms.ts";
import { instrument } from "../source.ts";
import type { Worker } from "../worker.ts";
import { isRoutine, placedRoutine, reachOf } from "./routines.ts";
import { type Progress, Turns } from "./turns.ts";

export const canTakeTurns = (file: string): boolean => file.endsWith(".ts") || isRoutine(file);

/** Where the mutants of a file can: what the source of the Worker does in Node's tests, it does in their processes. */
const projectFor = (file: string) => (file.startsWith("src/") || isRoutine(file) ? "worker" : "node");

/**
 * Tries mutants with all workers at once.
 * @param rooms of these mutants.
 * @param isBrief leaves it at a few cheap tests for each mutant.
 */
export async function tryInTurns(
  rooms: Room[],
  mutants: Mutant[],
  workers: Worker[],
  isBrief: boolean,
  progress: Progress,
): Promise<Turns> {
  const testsOf = new Map(rooms.flatMap((room) => room.files.map((file) => [file, room.testsOf(file)])));
  const meant = [...new Set(mutants.map(({ file }) => file))];
  const textsOf = (files: string[]) => new Map(files.map((file) => [file, readFileSync(file, "utf8")]));
  const instrumented = await instrument(textsOf(meant.filter((file) => !isRoutine(file))));
  instrumented.placed.push(...mutants.filter(({ file }) => isRoutine(file)).map(placedRoutine));
  const routinesOf = reachOf(textsOf(globSync("drizzle/routines/*.sql")));
  const turns = new Turns(({ file }) => testsOf.get(file) ?? [], mutants, instrumented, routinesOf, progress);
  const testsFor = (file: string) =>
    (testsOf.get(file) ?? []).filter((test) => projectOf(test) === projectFor(file));
  const tests = [...new Set(meant.flatMap(testsFor))];
  const nth = new Map(mutants.map(({ id }, index) => [id, index]));
  const isOf = (worker: number, index: number) => index % workers.length === worker;
  const count = (worker: Worker, own: number) =>
    turns.count(
      worker,
      tests.filter((_, index) => isOf(own, index)),
    );
  const part = (worker: Worker, own: number) =>
    turns.try(worker, ({ id }) => isOf(own, nth.get(id) ?? 0), isBrief);
  await Promise.all(workers.map(count));
  await Promise.all(workers.map(part));
  return turns;
}
