// What the TypeScript compiler refuses could not be committed. It reads many mutants of a file at once, each beside it under
// a name of its own. What only another file would not fit to any more is not found this way.
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { applied, type Mutant } from "../mutant.ts";

// More at once need more memory, and take no less time.
const AT_ONCE = 400;

const MARK = ".mutant-";

const copyOf = ({ file, id }: Mutant) => file.replace(/\.ts$/, `${MARK}${id}.ts`);

/** What the compiler says of a project in a folder. */
export function complaintsOf(folder: string, file: string): string[] {
  const project = file.startsWith("src/") ? "." : "dev";
  const { stdout } = spawnSync(resolve("node_modules/.bin/tsc"), ["-p", project, "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
  });
  return stdout.split("\n").filter((line) => line.includes(": error "));
}

/** @returns what the compiler says of each mutant that it refuses, by its id. */
export function refusedIn(folder: string, mutants: Mutant[]): Map<string, string> {
  const refused = new Map<string, string>();
  const written = mutants.filter(({ file }) => file.endsWith(".ts"));
  for (const project of [/^src\//, /^(?:dev|drizzle)\//]) {
    const own = written.filter(({ file }) => project.test(file));
    for (let from = 0; from < own.length; from += AT_ONCE) {
      for (const [id, complaint] of refusedAtOnce(folder, own.slice(from, from + AT_ONCE)))
        refused.set(id, complaint);
    }
  }
  return refused;
}

function refusedAtOnce(folder: string, mutants: Mutant[]): [id: string, complaint: string][] {
  const [first] = mutants;
  if (first === undefined) return [];
  for (const mutant of mutants) {
    const original = readFileSync(join(folder, mutant.file), "utf8");
    writeFileSync(join(folder, copyOf(mutant)), applied(original, mutant));
  }
  try {
    return complaintsOf(folder, first.file).flatMap((complaint) => {
      const id = complaint.split(MARK, 2)[1]?.slice(0, 8);
      return id === undefined ? [] : [[id, complaint]];
    });
  } finally {
    for (const mutant of mutants) rmSync(join(folder, copyOf(mutant)), { force: true });
  }
}
