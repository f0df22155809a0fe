// `npm run mutants`: changes one thing of the source or the SQL at a time, in a copy, and says which changes no test notices.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { faultsOf } from "./known.ts";
import { type Mutant, mutantsOf, sampleOf } from "./mutant.ts";
import { readOptions } from "./options.ts";
import { jsonOf, lineOf, rowsOf, tableOf, unexcused } from "./report.ts";
import { Results, ResultsFile } from "./results.ts";
import { type Room, rooms } from "./rooms.ts";
import { tryAll } from "./run.ts";
import { sourceChanges } from "./source.ts";
import { sqlChanges } from "./sql/mutators.ts";

const options = readOptions();
options.results &&= resolve(options.results);
process.chdir(resolve(import.meta.dirname, "../.."));

const existing = rooms();
const unknown = options.rooms.filter((name) => !existing.some((room) => room.name === name));
if (unknown.length > 0) {
  console.error(
    `No such room: ${unknown.join(", ")}. There are: ${existing.map(({ name }) => name).join(", ")}`,
  );
  process.exit(2);
}
const meant = existing
  .filter(({ name }) => options.rooms.length === 0 || options.rooms.includes(name))
  .map((room) => (options.tests.length === 0 ? room : { ...room, testsOf: () => options.tests }));
const all = await allMutants(meant);
const chosen = choose(all);

if (options.list) {
  const lines = [...chosen.map(lineOf), tableOf(rowsOf(chosen, []))];
  console.log(options.json ? JSON.stringify(chosen, null, 2) : lines.join("\n"));
} else {
  process.exitCode = await run();
}

/** @returns the exit code. */
async function run(): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop.abort());
  const testsOf = ({ room, file }: Mutant) => meant.find(({ name }) => name === room)?.testsOf(file) ?? [];
  const files = chosen.flatMap((mutant) => [mutant.file, ...testsOf(mutant)]);
  const file = options.results === undefined ? undefined : new ResultsFile(options.results, files);
  const kept = file && new Results(file, testsOf);
  const results = chosen.flatMap((mutant) => kept?.of(mutant) ?? []);
  const known = new Set(results.map(({ mutant }) => mutant.id));
  const untried = chosen.filter(({ id }) => !known.has(id));
  await tryAll(
    meant,
    untried,
    { ...options, results: file, known: [...results] },
    {
      say: (line) => console.error(line),
      signal: stop.signal,
      onResult(result) {
        results.push(result);
        kept?.add(result);
        const { mutant, outcome, by } = result;
        const killer = by === "" ? "" : `\n           by: ${by}`;
        console.error(`${results.length}/${chosen.length} ${outcome}: ${lineOf(mutant)}${killer}`);
      },
    },
  );
  const faults = faultsOf(all, results);
  if (options.json) {
    console.log(jsonOf(all, results, faults));
  } else {
    const survivors = unexcused(results).map(({ mutant }) => lineOf(mutant));
    if (survivors.length > 0) console.log(["Survived:", ...survivors, ""].join("\n"));
    console.log(tableOf(rowsOf(all, results)));
    if (faults.length > 0) console.log(["", "In test/mutants/equivalents/:", ...faults].join("\n"));
  }
  if (stop.signal.aborted) return 130;
  return faults.length > 0 ? 1 : 0;
}

async function allMutants(houses: Room[]): Promise<Mutant[]> {
  const mutants: Mutant[] = [];
  for (const { name, files } of houses) {
    for (const file of files) {
      const text = readFileSync(file, "utf8");
      const changes = file.endsWith(".sql") ? sqlChanges(text) : await sourceChanges(file, text);
      mutants.push(...mutantsOf(name, file, text, changes));
    }
  }
  return mutants;
}

function choose(mutants: Mutant[]): Mutant[] {
  const { files, ids, sample, seed } = options;
  const fitting = mutants.filter(
    ({ file, id }) => (files.length === 0 || files.includes(file)) && (ids.length === 0 || ids.includes(id)),
  );
  if (sample === undefined) return fitting;
  return [...Map.groupBy(fitting, ({ room }) => room).values()].flatMap((own) => sampleOf(own, sample, seed));
}
