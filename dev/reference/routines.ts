// The functions, procedures and triggers of drizzle/routines, as a part of database.md.
import type { RoutineFile } from "../../drizzle/files.ts";
import { block, blocks, code, described, type Page, table } from "./markdown.ts";

/** @throws Error when the beginning of a file is not as those of all are: a comment, then CREATE OR REPLACE. */
export function routinesSection(files: readonly RoutineFile[]): Page {
  const problems: string[] = [];
  const routines = files.toSorted((a, b) => a.name.localeCompare(b.name, "en")).map(readRoutine);
  const sections = routines.map(({ name, kind, comment, signature, rights }) =>
    blocks(
      `### ${name}`,
      `A ${kind}. ${described(`The routine ${name}`, comment, problems)}`,
      rights,
      block("sql", signature),
    ),
  );
  const text = blocks(
    "## Functions, procedures and triggers",
    "Each has a file in `drizzle/routines/` with its text.",
    table(
      ["routine", "kind", "what it does"],
      routines.map(({ name, kind, comment }) => [
        `[${code(name)}](#${name})`,
        kind,
        comment.split(/(?<=\.)\s/)[0] ?? "",
      ]),
    ),
    ...sections,
  );
  return { text, problems };
}

function readRoutine({ name, kind, text }: RoutineFile) {
  const [, comment = "", statement] = /^((?:--[^\n]*\n)*)CREATE OR REPLACE ([^$]*)/.exec(text) ?? [];
  if (statement === undefined) {
    throw new Error(`drizzle/routines/${name}.sql must begin with its comment, and then CREATE OR REPLACE`);
  }
  // What follows the arguments and the type says how the body is written.
  const [signature = statement] = statement.split(/\nLANGUAGE /);
  return {
    name,
    kind,
    comment: paragraphsOf(comment),
    signature,
    rights: statement.includes("SECURITY DEFINER")
      ? "It runs with the rights of its owner (`SECURITY DEFINER`)."
      : undefined,
  };
}

/** A line that is only `--` separates two paragraphs. */
function paragraphsOf(comment: string): string {
  return comment
    .split("\n")
    .map((line) => line.replace(/^-- ?/, ""))
    .join("\n")
    .trim()
    .split(/\n{2,}/)
    .map((paragraph) => paragraph.replaceAll("\n", " "))
    .join("\n\n");
}
