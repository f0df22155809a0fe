// Reads the comments of a TypeScript file: the TSDoc of each declaration and of its properties, and the `//`
// comments before each index. Knows only what our files have: a property, and the whole of a call, begins on a line.

export interface Comments {
  /** TSDoc by `declaration` and by `declaration.property`; undefined where there is none. */
  docs: Map<string, string | undefined>;
  /** `//` comments by the name of the index that they precede. */
  indexes: Map<string, string>;
}

/** @throws Error when a comment does not end. */
export function readComments(source: string): Comments {
  const docs: Comments["docs"] = new Map();
  const indexes: Comments["indexes"] = new Map();
  let declaration = "";
  let doc: string | undefined;
  let remark: string[] = [];
  const lines = source.split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (line.trim().startsWith("//")) {
      remark.push(line.trim().replace(/^\/\/ ?/, ""));
      continue;
    }
    if (line.trim().startsWith("/**")) {
      const end = lines.findIndex((text, i) => i >= at && text.trimEnd().endsWith("*/"));
      if (end < 0) throw new Error(`The comment of line ${at + 1} does not end`);
      doc = textOf(lines.slice(at, end + 1));
      at = end;
      continue;
    }
    // The end of a declaration.
    if (/^[})]/.test(line)) declaration = "";
    const declared = /^(?:export )?(?:const|interface|type|class|function) (\w+)/.exec(line)?.[1];
    if (declared !== undefined) {
      declaration = declared;
      docs.set(declaration, doc);
    }
    const property = /^\s+(\w+)\??:/.exec(line)?.[1];
    const name = `${declaration}.${property}`;
    // Options deeper inside a declaration repeat the names of properties; the first is the property.
    if (property !== undefined && !docs.has(name)) docs.set(name, doc);
    const index = /^\s+(?:uniqueIndex|index)\("(\w+)"\)/.exec(line)?.[1];
    if (index !== undefined && remark.length > 0) indexes.set(index, remark.join(" "));
    doc = undefined;
    remark = [];
  }
  return { docs, indexes };
}

/** The text of a TSDoc comment: a paragraph a line, with an empty line between two. */
function textOf(lines: string[]): string {
  return lines
    .map((line) =>
      line
        .trim()
        .replace(/\*\/$/, "")
        .replace(/^\/\*\*|^\* ?/, "")
        .trim(),
    )
    .join("\n")
    .trim()
    .split(/\n{2,}/)
    .map((paragraph) => paragraph.replaceAll("\n", " "))
    .join("\n\n");
}
