// Tables of the manual, as rows of cells.

/**
 * The rows of the one table that begins with these headings.
 * @throws Error when the page has no such table, or several.
 */
export function tableOf(page: string, ...headings: string[]): string[][] {
  const tables = page
    .split(/\n(?!\|)/)
    .map((block) => block.split("\n").filter((line) => line.startsWith("|")))
    .map((lines) =>
      lines.map((line) =>
        line
          .slice(1, -1)
          .split("|")
          .map((cell) => cell.trim()),
      ),
    )
    .filter(([head = []]) => headings.every((heading, i) => head[i] === heading));
  const [table, ...others] = tables;
  if (table === undefined || others.length > 0)
    throw new Error(`${tables.length} tables: ${headings.join(", ")}`);
  return table.slice(2);
}

/** `like this`, without the marks of code. */
export const unquoted = (cell: string) => cell.replaceAll("`", "");
