// The mutants of sql`…` in instrumented source: each makes the text that it makes in the source.
import { type SQL, sql } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { expect, test } from "vitest";
import { applied, mutantsOf } from "../mutant.ts";
import { changesOf, templatesOf } from "../sql/mutators.ts";
import { instrument, sourceChanges } from "../source.ts";
import { switchOf } from "./coverage.ts";
import { switchesHere } from "./switches.ts";
import { keyOf, switchedTag } from "./tag.ts";
import { variantOf } from "./templates.ts";

const switches = switchesHere();

const dialect = new PgDialect();
const textOf = (made: SQL) => dialect.sqlToQuery(made);

const SOURCE =
  "sql`SELECT 1 WHERE a = ${A} AND ${B} > 2 OR (${C} AND d) AND NOT e <= ${D} ORDER BY f LIMIT ${E} + 1`";
const HOLES = ["A", "B", "C", "D", "E"];

/** What Drizzle makes of a template that stands in source. */
function asWritten(source: string) {
  const [template] = templatesOf(source);
  const texts: string[] = [];
  const names: string[] = [];
  let from = template?.start ?? 0;
  for (const hole of template?.holes ?? []) {
    texts.push(source.slice(from, hole.start));
    names.push(source.slice(hole.start + 2, hole.end - 1));
    from = hole.end;
  }
  texts.push(source.slice(from, template?.end));
  return textOf(sql(Object.assign([...texts], { raw: texts }), ...names));
}

test("each variant is what the mutant makes of the source", () => {
  const [template = { start: 0, end: 0, holes: [] }] = templatesOf(SOURCE);
  const changes = changesOf(SOURCE, template);
  expect(changes.length).toBeGreaterThan(10);
  expect(changes.some(({ start, end }) => SOURCE.slice(start, end).includes("${C}"))).toBe(true);
  for (const change of changes) {
    const { texts, holes } = variantOf(SOURCE, template, change);
    const made = sql(Object.assign([...texts], { raw: texts }), ...holes.map((hole) => HOLES[hole]));
    expect(textOf(made)).toEqual(asWritten(applied(SOURCE, change)));
  }
});

test("the tag makes a variant while its mutant is active, and counts what is come by", () => {
  const variants = { [keyOf(["a = ", " AND b"])]: [{ id: "7", texts: ["b"], holes: [] }] };
  const tag = switchedTag(sql, variants);
  const made = () => textOf(tag`a = ${1} AND b`).sql;
  expect(made()).toBe("a = $1 AND b");
  Object.assign(switches, { activeMutant: "8", currentTestId: "test" });
  expect(made()).toBe("a = $1 AND b");
  switches.activeMutant = "7";
  expect(made()).toBe("b");
  expect(textOf(tag`a = ${tag.raw("c")}`).sql).toBe("a = c");
  expect(switches.mutantCoverage).toEqual({ static: { "7": 1 }, perTest: { test: { "7": 2 } } });
});

const IMPORT = 'import { type SQL, sql } from "drizzle-orm";\n';

async function switched(source: string) {
  const { placed, contents } = await instrument(new Map([["src/a/b.ts", source]]));
  const mutants = mutantsOf("a", "src/a/b.ts", source, await sourceChanges("src/a/b.ts", source));
  const ofSql = mutants.filter(({ mutator }) => mutator.startsWith("sql "));
  return { ids: ofSql.map((mutant) => switchOf(mutant, placed)), content: contents.get("src/a/b.ts") ?? "" };
}

test("a file imports the tag under another name, and knows each mutant of its templates", async () => {
  const { ids, content } = await switched(`${IMPORT}export const q = (a: number) => sql\`a = \${a} AND b\`;`);
  expect(ids.length).toBeGreaterThan(1);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).not.toContain(undefined);
  expect(content).toContain('import { switchedTag } from "../../test/mutants/switched/tag.ts";');
  expect(content).toContain('import { type SQL, sql as plainSql } from "drizzle-orm"');
});

test.each([
  ["that stands there twice", `${IMPORT}const a = sql\`a = 1\`;\nconst b = sql\`a = 1\`;`],
  ["with a backslash", `${IMPORT}const a = sql\`a = '\\\\d'\`;`],
  ["of another tag", "const sql = String.raw;\nconst a = sql`a = 1`;"],
])("a text %s is left alone", async (_, source) => {
  const { ids, content } = await switched(source);
  expect(ids.length).toBeGreaterThan(0);
  expect(new Set(ids)).toEqual(new Set([undefined]));
  expect(content).not.toContain("switchedTag");
});
