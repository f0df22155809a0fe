// `npm run docs`, the second half: writes the current text of each file that the manual shows into its pages.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { manualFiles, withSnippets } from "./manual.ts";

process.chdir(dirname(import.meta.dirname));

let count = 0;
for (const file of manualFiles()) {
  const before = readFileSync(file, "utf8");
  const after = withSnippets(before);
  if (after === before) continue;
  writeFileSync(file, after);
  console.log(`Updated ${file}`);
  count += 1;
}
if (count === 0) console.log("The manual shows the files as they are.");
