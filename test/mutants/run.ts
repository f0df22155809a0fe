// Tries mutants, one or two at once. Tests that have killed mutants of a file or of its room come first.
import { makeCopy, removeCopy } from "./copy.ts";
import { Experience } from "./experience.ts";
import type { FilesOrder, Order } from "./host.ts";
import type { Mutant } from "./mutant.ts";
import type { ResultsFile } from "./results.ts";
import { projectOf, type Room } from "./rooms.ts";
import { refusedIn } from "./switched/compiler.ts";
import { canTakeTurns, countedTurns } from "./switched/counted.ts";
import { type Answer, type Result, Worker } from "./worker.ts";

// To find what the tests come by costs as much as a few mutants one by one.
const LEAST_IN_TURNS = 8;

// Of what is tried one by one: its namesake, and what has killed most.
const BRIEF_FILES = 3;

// Of those in workerd, that many may run in Node before.
const QUICK_FILES = 4;

const asOrders = (tests: string[]) => tests.map((file) => ({ project: projectOf(file), file }));

const asPure = (tests: string[]) => tests.map((file) => ({ project: "pure", file }));

export interface Watcher {
  say: (line: string) => void;
  onResult: (result: Result) => void;
  signal: AbortSignal;
}

export interface Way {
  workers: number;
  /** Leaves it at a few cheap tests and test files for each mutant. */
  isBrief: boolean;
  /** Where what is found is kept; undefined for nowhere. */
  results: ResultsFile | undefined;
  /** What earlier runs have found. */
  known: readonly Result[];
}

/**
 * Tries each mutant.
 * @throws Error when a test fails without a mutant, too.
 */
export async function tryAll(
  rooms: Room[],
  mutants: Mutant[],
  { workers: workerCount, isBrief, results, known }: Way,
  { say, onResult, signal }: Watcher,
): Promise<void> {
  const experience = new Experience();
  const testsOf = new Map(
    rooms.flatMap((room) => room.files.map((file) => [file, room.testsOf(file)] as const)),
  );
  /** Of tests in workerd, whether they pass in Node. */
  const passesInNode = new Map<string, boolean>();
  /** Tests that have passed, with a mutant or without. */
  const sound = new Set<string>();

  function learnFrom(answer: Answer): void {
    if (answer.kind !== "passed" && answer.kind !== "failed") return;
    experience.time(answer);
    for (const file of Object.keys(answer.ms)) {
      if (answer.kind === "passed" || file !== answer.file) sound.add(file);
    }
  }

  /** A test that has never passed has killed nothing. When it fails, a mutant may have left something in the process. */
  async function check(worker: Worker, test: string): Promise<void> {
    say(`without a mutant: ${test}`);
    const order: Order = { kind: "files", changed: [test], isSql: false, tests: asOrders([test]) };
    let answer = await worker.follow(order, experience);
    if (answer.kind !== "passed" && !signal.aborted) {
      worker.restart();
      answer = await worker.follow(order, experience);
    }
    if (answer.kind !== "passed" && !signal.aborted)
      throw new Error(`${test} fails without a mutant: ${JSON.stringify(answer)}`);
    learnFrom(answer);
  }

  /** Those of the likeliest tests in workerd that pass in Node, too, where one takes a fraction of the time. */
  async function quickOf(worker: Worker, tests: string[]): Promise<FilesOrder["tests"]> {
    const inWorkerd = tests.filter((test) => projectOf(test) === "worker").slice(0, QUICK_FILES);
    for (const file of inWorkerd.filter((test) => !passesInNode.has(test))) {
      const order = { kind: "files", changed: [file], isSql: false, tests: asPure([file]) } satisfies Order;
      const { kind } = await worker.follow(order, experience);
      passesInNode.set(file, kind === "passed");
    }
    return asPure(inWorkerd.filter((test) => passesInNode.get(test)));
  }

  /** In turns what can be switched, for that is most and quick; then what acts only when its module is loaded; then what is left. */
  async function tryRooms(workers: Worker[]): Promise<void> {
    const tried = withoutRefused(mutants);
    const inTurns = tried.filter(({ file }) => canTakeTurns(file));
    const ended = new Set<string>();
    const progress = {
      say,
      signal,
      onResult(result: Result) {
        ended.add(result.mutant.id);
        onResult(result);
      },
    };
    const turns =
      inTurns.length < LEAST_IN_TURNS
        ? undefined
        : await countedTurns(rooms, inTurns, workers, results, known, progress);
    const isReached = new Set(turns && inTurns.filter((mutant) => turns.isReached(mutant)));
    const testsLeft = (mutant: Mutant) =>
      turns !== undefined && inTurns.includes(mutant)
        ? turns.filesLeft(mutant)
        : (testsOf.get(mutant.file) ?? []);
    const oneByOne = async (left: Mutant[]) =>
      Promise.all(workers.map((worker) => work(worker, left, testsLeft)));
    await turns?.try(workers, isBrief);
    await oneByOne(tried.filter((mutant) => !isReached.has(mutant)));
    await oneByOne([...isReached].filter(({ id }) => !ended.has(id)));
  }

  function withoutRefused(all: Mutant[]): Mutant[] {
    const state = ({ id, file }: Mutant) => ({ compiled: id, digest: results?.digestOf(file) });
    const lines = new Set(
      results?.of<ReturnType<typeof state>>("compiled").map((line) => JSON.stringify(line)),
    );
    const isKnown = (mutant: Mutant) => lines.has(JSON.stringify(state(mutant)));
    const unknown = all.filter((mutant) => !mutant.file.endsWith(".sql") && !isKnown(mutant));
    if (unknown.length === 0) return all;
    say("which mutants the compiler refuses");
    const copy = makeCopy();
    let refused: Map<string, string>;
    try {
      refused = refusedIn(copy, unknown);
    } finally {
      removeCopy(copy);
    }
    for (const mutant of unknown) {
      const by = refused.get(mutant.id);
      if (by === undefined) results?.add(state(mutant));
      else onResult({ mutant, outcome: "invalid", by });
    }
    return all.filter(({ id }) => !refused.has(id));
  }

  async function work(
    worker: Worker,
    queue: Mutant[],
    testsLeft: (mutant: Mutant) => string[],
  ): Promise<void> {
    for (let mutant = queue.shift(); mutant !== undefined && !signal.aborted; mutant = queue.shift()) {
      const [namesake] = mutant.file.endsWith(".ts") ? (testsOf.get(mutant.file) ?? []) : [];
      const all = experience.ordered(mutant, testsLeft(mutant), namesake);
      const tests = isBrief ? all.slice(0, BRIEF_FILES) : all;
      const isAll = tests.length === all.length;
      const quick = mutant.file.startsWith("src/") ? await quickOf(worker, all) : [];
      const inNode = quick.length > 0 ? await worker.try(mutant, quick, experience, false) : undefined;
      if (signal.aborted) return;
      if (inNode !== undefined && inNode[0].outcome !== "survived") {
        experience.learn(...inNode);
        onResult(inNode[0]);
        continue;
      }
      const [result, answer] = await worker.try(mutant, asOrders(tests), experience, isAll);
      learnFrom(answer);
      if (answer.kind === "failed" && !sound.has(answer.file)) await check(worker, answer.file);
      // The end of a run ends its tests, which says nothing of the mutant.
      if (signal.aborted) return;
      experience.learn(result, answer);
      // There are others to try.
      if (!isAll && result.outcome === "survived") continue;
      onResult(result);
    }
  }

  const workers = Array.from({ length: Math.min(workerCount, mutants.length) }, () => new Worker());
  const end = () => Promise.all(workers.map((worker) => worker.end()));
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  try {
    await Promise.race([aborted, tryRooms(workers)]);
  } finally {
    await end();
  }
}
