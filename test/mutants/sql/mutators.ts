// The mutants of SQL files, and of the SQL in the templates of TypeScript.
import { parseAst } from "vitest/node";
import type { Change } from "../mutant.ts";
import { clauseChanges } from "./clauses.ts";
import { conditionChanges } from "./conditions.ts";
import { tokensOf } from "./tokens.ts";

export function sqlChanges(sql: string): Change[] {
  const tokens = tokensOf(sql);
  return [...conditionChanges(tokens), ...clauseChanges(tokens)];
}

/** What stands between the backticks of a template. */
export interface Template {
  start: number;
  end: number;
  /** Where each `${…}` is. */
  holes: { start: number; end: number }[];
}

/** The changes of what stands in all sql`…`. */
export const templateChanges = (source: string): Change[] =>
  templatesOf(source).flatMap((template) => changesOf(source, template));

/** The changes of one template. What is put in by `${…}` counts as one name. */
export function changesOf(source: string, { start, end, holes }: Template): Change[] {
  let sql = source.slice(start, end);
  for (const hole of holes) {
    const length = hole.end - hole.start;
    sql = sql.slice(0, hole.start - start) + "h".repeat(length) + sql.slice(hole.end - start);
  }
  return sqlChanges(sql).map((change) => ({
    ...change,
    mutator: `sql ${change.mutator}`,
    start: change.start + start,
    end: change.end + start,
  }));
}

interface Node {
  type: string;
  start: number;
  end: number;
  tag?: Node & { name?: string };
  quasi?: Node & { quasis: Node[] };
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";

export function templatesOf(source: string): Template[] {
  const templates: Template[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (!isNode(node)) return;
    if (node.type === "TaggedTemplateExpression" && node.tag?.name === "sql" && node.quasi !== undefined) {
      const { quasis } = node.quasi;
      // A quasi's own range has no backtick, no `${` and no `}`.
      const texts = quasis.map(({ start, end }) => trimmed(source, start, end));
      const holes = texts.slice(1).map((text, i) => ({ start: texts[i]?.end ?? 0, end: text.start }));
      templates.push({ start: texts[0]?.start ?? 0, end: texts.at(-1)?.end ?? 0, holes });
    }
    Object.values(node).forEach(visit);
  };
  visit(parseAst(source, { lang: "ts" }));
  return templates;
}

/** Some parsers count the marks at the ends as part of a quasi. */
function trimmed(source: string, start: number, end: number): { start: number; end: number } {
  const from = source[start] === "`" || source[start] === "}" ? start + 1 : start;
  const hasMark = source[end - 1] === "`" || source.slice(end - 2, end) === "${";
  const length = source[end - 1] === "`" ? 1 : 2;
  return { start: from, end: hasMark && end - length >= from ? end - length : end };
}
