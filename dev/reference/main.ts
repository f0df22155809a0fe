// `npm run docs` writes docs/reference from the code. With --check it writes nothing, and fails when a page has drifted.
// Both fail when something has no description. A folder can be named in place of docs/reference.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createReference } from "./pages.ts";

const ADVICE = "run npm run docs";

/** One line for each page of `folder` that is not as `files` has it. */
export function driftOf(folder: string, files: ReadonlyMap<string, string>): string[] {
  const found = pagesIn(folder);
  return [
    ...[...files]
      .filter(([file, text]) => !found.includes(file) || read(join(folder, file)) !== text)
      .map(([file]) => `docs/reference/${file} has drifted from the code: ${ADVICE}`),
    ...found
      .filter((file) => !files.has(file))
      .map((file) => `docs/reference/${file} is not generated from the code: ${ADVICE}`),
  ];
}

/** Afterwards `folder` has these pages and no others. */
export function writePages(folder: string, files: ReadonlyMap<string, string>): void {
  mkdirSync(folder, { recursive: true });
  for (const file of pagesIn(folder)) if (!files.has(file)) rmSync(join(folder, file));
  for (const [file, text] of files) writeFileSync(join(folder, file), text);
}

function pagesIn(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return []; // There is no folder yet, so no page.
  }
}

// Git may have checked it out with the line ends of Windows.
const read = (path: string) => readFileSync(path, "utf8").replaceAll("\r\n", "\n");

if (import.meta.main) {
  const [folder = join(import.meta.dirname, "..", "..", "docs", "reference")] = process.argv
    .slice(2)
    .filter((argument) => argument !== "--check");
  const { files, problems } = await createReference();
  const isCheck = process.argv.includes("--check");
  if (problems.length === 0 && !isCheck) writePages(folder, files);
  // A page without a description has drifted, too; that is not what there is to do.
  const complaints = problems.length > 0 || !isCheck ? problems : driftOf(folder, files);
  for (const complaint of complaints) console.error(complaint);
  if (complaints.length > 0) process.exitCode = 1;
}
