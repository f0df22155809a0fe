// The arguments of `npm run mutants`.
import { parseArgs } from "node:util";

const USAGE = `Usage: npm run mutants -- [--room NAME]… [--file PATH]… [--id ID]… [--test PATH]… [--sample N [--seed S]] [--results FILE] [--brief] [--workers 1|2] [--list] [--json]
  --room NAME   only the mutants of this room: a folder of src/, doors, drizzle, dev, "sql cleanup", "sql sessions", …
  --file PATH   only those of this file
  --id ID       only this one
  --test PATH   tries only this test file, such as a new one: what survives may be killed by others
  --sample N    N of each room, chosen by the seed
  --results FILE  adds each result to FILE, and tries no mutant again whose file and tests are as they were
  --brief       leaves open what no cheap test kills
  --list        says which there are, and tries none
  --json        writes JSON to standard output`;

export interface Options {
  /** None for all. */
  rooms: string[];
  files: string[];
  ids: string[];
  /** Test files to try instead of all that concern a mutant. */
  tests: string[];
  /** How many of each room; undefined for all. */
  sample: number | undefined;
  seed: number;
  /** The file of results; undefined for none. */
  results: string | undefined;
  /** Only with a few cheap tests and test files. */
  isBrief: boolean;
  workers: number;
  list: boolean;
  json: boolean;
}

/** Ends the process with the usage when an argument is unknown or wrong. */
export function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        room: { type: "string", multiple: true, default: [] },
        file: { type: "string", multiple: true, default: [] },
        id: { type: "string", multiple: true, default: [] },
        test: { type: "string", multiple: true, default: [] },
        sample: { type: "string" },
        seed: { type: "string", default: "1" },
        results: { type: "string" },
        brief: { type: "boolean", default: false },
        workers: { type: "string", default: "2" },
        list: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    });
    const { room, file, id, test, sample, seed, results, brief, workers, list, json } = values;
    const numbers = [sample ?? "1", seed];
    if (numbers.every((text) => /^\d{1,9}$/.test(text)) && /^[12]$/.test(workers)) {
      return {
        rooms: room,
        files: file,
        ids: id,
        tests: test,
        sample: sample === undefined ? undefined : Number(sample),
        seed: Number(seed),
        results,
        isBrief: brief,
        workers: Number(workers),
        list,
        json,
      };
    }
  } catch {
    // An unknown argument, which the usage answers.
  }
  console.error(USAGE);
  return process.exit(2);
}
