// What npm run db:check has found, and how it says so.

/** `error`: the Worker cannot work, or not all of it. `warning`: something will go wrong. `note`: good to know. */
export const levels = ["error", "warning", "note"] as const;
export type Level = (typeof levels)[number];

export interface Finding {
  level: Level;
  /** A word for scripts, such as `isolation`. */
  about: string;
  /** What is so. Sentences with their full stops. */
  what: string;
  /** What follows for the Worker. */
  means: string;
  /** What to do about it; empty when there is nothing to do. */
  todo: string;
}

const TITLES = { error: "Error", warning: "Warning", note: "Note" } satisfies Record<Level, string>;

/** Errors first, and those that mean the same only once. */
export function ordered(findings: readonly Finding[]): Finding[] {
  const rank = ({ level }: Finding) => levels.indexOf(level);
  const unique = [...new Map(findings.map((finding) => [finding.about + finding.what, finding])).values()];
  return unique.toSorted((a, b) => rank(a) - rank(b));
}

/** Whether the Worker can work. */
export const works = (findings: readonly Finding[]) => !findings.some(({ level }) => level === "error");

/** For people: a paragraph for each finding, and the result as the last line. */
export function textOf(findings: readonly Finding[]): string {
  const paragraphs = findings.map(({ level, what, means, todo }) =>
    [`${TITLES[level]}: ${[what, means].filter(Boolean).join(" ")}`, todo && `  To do: ${todo}`]
      .filter(Boolean)
      .join("\n"),
  );
  const counts = levels
    .map((level) => [findings.filter((finding) => finding.level === level).length, level] as const)
    .filter(([count]) => count > 0)
    .map(([count, level]) => `${count} ${level}${count === 1 ? "" : "s"}`);
  const result = works(findings)
    ? "The Worker can work with this database"
    : "The Worker cannot work with this database";
  return [...paragraphs, `${[result, counts.join(", ")].filter(Boolean).join(": ")}.`].join("\n\n");
}
