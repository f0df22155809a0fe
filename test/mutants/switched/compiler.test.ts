// What the compiler refuses is told from what it takes, many at once.
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { mutantsOf } from "../mutant.ts";
import { refusedIn } from "./compiler.ts";

const SOURCE = "export const sum = (a: number, b: number): number => a + b;\n";

test("each mutant is compiled beside its file, and nothing of it is left", () => {
  const folder = mkdtempSync(join(tmpdir(), "compiler-"));
  const options = { strict: true, noUnusedParameters: true, noEmit: true };
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions: options, include: ["src"] }),
  );
  mkdirSync(join(folder, "src"));
  writeFileSync(join(folder, "src/sum.ts"), SOURCE);
  const changed = (text: string, replacement: string) => {
    const start = SOURCE.indexOf(text);
    return { mutator: "a change", start, end: start + text.length, replacement };
  };
  const mutants = mutantsOf("room", "src/sum.ts", SOURCE, [
    changed("a + b", "a - b"),
    changed("a + b", "a"),
    changed("a + b", '""'),
  ]);
  const refused = refusedIn(folder, mutants);
  const complaints = mutants.map(({ change, id }) => [change, refused.get(id)]);
  expect(complaints).toEqual([
    ["a + b → a - b", undefined],
    ["a + b → a", expect.stringContaining("'b' is declared but its value is never read")],
    ['a + b → ""', expect.stringContaining("not assignable to type 'number'")],
  ]);
  expect(readdirSync(join(folder, "src"))).toEqual(["sum.ts"]);
});
