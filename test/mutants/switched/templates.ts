// Puts the mutants of sql`…` into source that StrykerJS has instrumented, so that they can take turns as well.
import type { Placed } from "../source.ts";
import type { Change } from "../mutant.ts";
import { changesOf, type Template, templatesOf } from "../sql/mutators.ts";
import { keyOf, type Variant } from "./tag.ts";

const TAG = "test/mutants/switched/tag.ts";
const IMPORT = /(?<before>import\s*\{[^}]*)\bsql\b(?<after>[^}]*\}\s*from\s*"drizzle-orm")/;

/** One mutant of a template, as what it makes of the texts between the holes. */
export function variantOf(source: string, template: Template, change: Change): Omit<Variant, "id"> {
  const { start, end, holes } = template;
  const from = [start, ...holes.map((hole) => hole.end)];
  const to = [...holes.map((hole) => hole.start), end];
  const first = from.findLastIndex((at) => at <= change.start);
  const last = to.findIndex((at) => change.end <= at);
  const text = (i: number) => source.slice(from[i], to[i]);
  const joined =
    source.slice(from[first], change.start) + change.replacement + source.slice(change.end, to[last]);
  const all = from.map((_, i) => i);
  return {
    texts: [...all.slice(0, first).map(text), joined, ...all.slice(last + 1).map(text)],
    holes: holes.map((_, i) => i).filter((i) => i < first || i >= last),
  };
}

/**
 * @param path of the instrumented file.
 * @returns the mutants that can be switched, and the file with them. Not those of a text that stands in the file twice, and
 *   of one with a backslash, which is read otherwise than it is written.
 */
export function withTemplates(
  path: string,
  source: string,
  instrumented: string,
): { placed: Placed[]; content: string } {
  const placed: Placed[] = [];
  const variants: Record<string, Variant[]> = {};
  const templates = templatesOf(source);
  const keys = templates.map((template) => keyOf(textsOf(source, template)));
  for (const [i, template] of templates.entries()) {
    const key = keys[i] ?? "";
    if (key.includes("\\") || keys.indexOf(key) !== keys.lastIndexOf(key)) continue;
    variants[key] = changesOf(source, template).map((change, nth) => {
      const id = `${path} ${template.start} ${nth}`;
      placed.push({ ...change, id, file: path });
      return { id, ...variantOf(source, template, change) };
    });
  }
  if (placed.length === 0 || !IMPORT.test(instrumented)) return { placed: [], content: instrumented };
  const root = "../".repeat(path.split("/").length - 1);
  const content = `import { switchedTag } from "${root}${TAG}";
const sql = switchedTag(plainSql, ${JSON.stringify(variants)});
${instrumented.replace(IMPORT, "$<before>sql as plainSql$<after>")}`;
  return { placed, content };
}

const textsOf = (source: string, { start, end, holes }: Template): string[] =>
  [...holes, { start: end, end }].map((hole, i) => source.slice(holes[i - 1]?.end ?? start, hole.start));
