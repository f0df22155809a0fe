// The hand-written manual as text: its files, and its code blocks. A block that names a file shows that file:
//
//   ```ts file=examples/notebook.ts#update as=src/server/index.ts
//
// `#update` takes the lines between `// #region update` and `// #endregion`. `as` shows relative imports as they must be in
// that file. dev/snippets.ts writes the text of the file into the block; test/manual/ fails when the two differ.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";

/** The root's pages and all of docs/ that is written by hand. */
export function manualFiles(): string[] {
  const docs = readdirSync("docs", { recursive: true, encoding: "utf8" })
    .map((file) => `docs/${file.replaceAll("\\", "/")}`)
    .filter((file) => file.endsWith(".md") && !file.startsWith("docs/reference/"));
  return [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "examples/sign-in/README.md",
    "ops/README.md",
    ...docs,
  ].toSorted();
}

const FENCE = /^```([\w-]+)([^\n]*)\n([\s\S]*?)^```$/gm;

export interface CodeBlock {
  language: string;
  /** The file that it shows; undefined when it names none. */
  file: string | undefined;
  text: string;
}

export function codeBlocks(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(FENCE)].map(([, language = "", info = "", text = ""]) => ({
    language,
    file: fileOf(info),
    text,
  }));
}

/** The page with the current text of each file that it shows. @throws Error for a file or region that is not there */
export function withSnippets(markdown: string): string {
  return markdown.replaceAll(FENCE, (block, language: string, info: string) =>
    fileOf(info) === undefined ? block : `\`\`\`${language}${info}\n${snippet(info)}\`\`\``,
  );
}

const fileOf = (info: string) => / file=([^\s#]+)/.exec(info)?.[1];

function snippet(info: string): string {
  const file = fileOf(info) ?? "";
  const region = / file=\S+#(\S+)/.exec(info)?.[1];
  const shownAs = / as=(\S+)/.exec(info)?.[1];
  const text = readFileSync(file, "utf8");
  const shown = region === undefined ? text : regionOf(text, region, file);
  const lines = shown.split("\n").filter((line) => !/^\s*(\/\/|#) #(end)?region\b/.test(line));
  return shownAs === undefined ? lines.join("\n") : moved(lines.join("\n"), file, shownAs);
}

function regionOf(text: string, region: string, file: string): string {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.trim() === `// #region ${region}`);
  const length = lines.slice(start).findIndex((line) => line.trim() === "// #endregion");
  if (start === -1 || length === -1) throw new Error(`${file} has no region ${region}`);
  const inside = lines.slice(start + 1, start + length);
  const indents = inside.filter((line) => line !== "").map((line) => line.search(/\S/));
  const indent = Math.min(...indents);
  return [...inside.map((line) => line.slice(indent)), ""].join("\n");
}

/** Rewrites relative imports for a file that stands elsewhere. */
function moved(text: string, from: string, to: string): string {
  return text.replaceAll(/from "(\.[^"]+)"/g, (_, path: string) => {
    const target = relative(dirname(to), resolve(dirname(from), path)).replaceAll("\\", "/");
    return `from "${target.startsWith(".") ? target : `./${target}`}"`;
  });
}
