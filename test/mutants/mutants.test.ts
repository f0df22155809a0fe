// What is changed, and what is left alone.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { equivalents } from "./equivalents.ts";
import { describes } from "./known.ts";
import { applied, mutantsOf, sampleOf } from "./mutant.ts";
import { projectOf, rooms } from "./rooms.ts";
import { sourceChanges } from "./source.ts";
import { sqlChanges, templateChanges } from "./sql/mutators.ts";

const mutatedBy = (mutator: string, sql: string) =>
  mutantsOf("room", "file.sql", sql, sqlChanges(sql))
    .filter((mutant) => mutant.mutator === mutator)
    .map((mutant) => applied(sql, mutant));

describe("of SQL", () => {
  test("each operand of AND and OR is taken out by itself", () => {
    expect(
      mutatedBy("operand", "SELECT FROM t WHERE a AND (b OR c) AND d IS DISTINCT FROM e ORDER BY f"),
    ).toEqual([
      "SELECT FROM t WHERE (b OR c) AND d IS DISTINCT FROM e ORDER BY f",
      "SELECT FROM t WHERE a  AND d IS DISTINCT FROM e ORDER BY f",
      "SELECT FROM t WHERE a AND (c) AND d IS DISTINCT FROM e ORDER BY f",
      "SELECT FROM t WHERE a AND (b ) AND d IS DISTINCT FROM e ORDER BY f",
      "SELECT FROM t WHERE a AND (b OR c)  ORDER BY f",
    ]);
  });

  test("a condition of one operand always holds", () => {
    expect(mutatedBy("operand", "DELETE FROM t WHERE a")).toEqual(["DELETE FROM t WHERE true"]);
  });

  test("a comparison is turned, an assignment is not", () => {
    expect(mutatedBy("comparison", "UPDATE t SET a = 1, b = 2 WHERE c = 3 AND d <= 4")).toEqual([
      "UPDATE t SET a = 1, b = 2 WHERE c <> 3 AND d <= 4",
      "UPDATE t SET a = 1, b = 2 WHERE c = 3 AND d < 4",
    ]);
    expect(mutatedBy("comparison", "GET DIAGNOSTICS n = ROW_COUNT;")).toEqual([]);
    expect(mutatedBy("comparison", "ALTER TABLE t SET (fillfactor = 90)")).toEqual([]);
  });

  test("a branch is always and never taken, and a handler never", () => {
    expect(
      mutatedBy("branch", "BEGIN IF a THEN b := 1; END IF; EXCEPTION WHEN OTHERS THEN NULL; END"),
    ).toEqual([
      "BEGIN IF true THEN b := 1; END IF; EXCEPTION WHEN OTHERS THEN NULL; END",
      "BEGIN IF false THEN b := 1; END IF; EXCEPTION WHEN OTHERS THEN NULL; END",
      "BEGIN IF a THEN b := 1; END IF; EXCEPTION WHEN SQLSTATE 'ZZ999' THEN NULL; END",
    ]);
    expect(mutatedBy("branch", "SELECT CASE a WHEN 1 THEN 2 END, CASE WHEN b THEN 3 END")).toEqual([
      "SELECT CASE a WHEN 1 THEN 2 END, CASE WHEN true THEN 3 END",
      "SELECT CASE a WHEN 1 THEN 2 END, CASE WHEN false THEN 3 END",
    ]);
  });

  test("a lock is not taken, or waited for", () => {
    expect(mutatedBy("lock", "SELECT FROM ONLY t FOR NO KEY UPDATE OF t SKIP LOCKED")).toEqual([
      "SELECT FROM  t FOR NO KEY UPDATE OF t SKIP LOCKED",
      "SELECT FROM ONLY t ",
      "SELECT FROM ONLY t FOR NO KEY UPDATE OF t ",
    ]);
  });

  test("a right is not given or taken away", () => {
    expect(mutatedBy("right", "REVOKE ALL ON t FROM PUBLIC;")).toEqual([""]);
    expect(mutatedBy("right", "BEGIN EXECUTE format('GRANT %s', a); END")).toEqual(["BEGIN NULL; END"]);
    expect(mutatedBy("right", "LANGUAGE sql SECURITY DEFINER AS")).toEqual(["LANGUAGE sql  AS"]);
  });

  test("a number is one more, and none; also of an interval", () => {
    expect(mutatedBy("number", "a + 2 -- 7")).toEqual(["a + 3 -- 7", "a + 0 -- 7"]);
    expect(mutatedBy("number", "interval '5 seconds' + '57014'")).toEqual([
      "interval '6 seconds' + '57014'",
      "interval '0 seconds' + '57014'",
    ]);
  });

  test("NULL and NOT are turned", () => {
    expect(mutatedBy("negation", "(a <= b) IS TRUE AND NOT c AND d IS NOT NULL")).toEqual([
      "(a <= b) IS NOT FALSE AND NOT c AND d IS NOT NULL",
      "(a <= b) IS TRUE AND c AND d IS NOT NULL",
      "(a <= b) IS TRUE AND NOT c AND d IS NULL",
    ]);
  });

  test("a constraint does not hold, and a definition cannot be repeated", () => {
    const sql = "CREATE TABLE IF NOT EXISTS t (a text NOT NULL, CHECK (a IN ('b', 'c')))";
    expect(mutatedBy("constraint", sql)).toEqual([
      "CREATE TABLE IF NOT EXISTS t (a text , CHECK (a IN ('b', 'c')))",
      "CREATE TABLE IF NOT EXISTS t (a text NOT NULL, CHECK (true))",
    ]);
    expect(mutatedBy("list", sql)).toEqual([
      "CREATE TABLE IF NOT EXISTS t (a text NOT NULL, CHECK (a IN ('c')))",
      "CREATE TABLE IF NOT EXISTS t (a text NOT NULL, CHECK (a IN ('b')))",
    ]);
    expect(mutatedBy("repetition", sql)).toEqual([
      "CREATE TABLE  t (a text NOT NULL, CHECK (a IN ('b', 'c')))",
    ]);
  });

  test("a trigger fires at another time, for other rows, or not", () => {
    const sql =
      "CREATE OR REPLACE TRIGGER t AFTER INSERT OR UPDATE OF a ON b FOR EACH ROW EXECUTE FUNCTION f()";
    const trigger = (text: string) => `CREATE OR REPLACE TRIGGER t ${text} EXECUTE FUNCTION f()`;
    expect(mutatedBy("trigger", sql)).toEqual([
      trigger("BEFORE INSERT OR UPDATE OF a ON b FOR EACH ROW"),
      trigger("AFTER  UPDATE OF a ON b FOR EACH ROW"),
      trigger("AFTER INSERT  ON b FOR EACH ROW"),
      trigger("AFTER INSERT OR UPDATE OF a ON b FOR EACH STATEMENT"),
    ]);
  });

  test("what stands in a template of TypeScript is changed, what is put into it is not", () => {
    const source = "const a = sql`SELECT FROM t WHERE a = ${b < c ? 1 : 2} AND d`; const e = f < 3;";
    const mutants = mutantsOf("room", "file.ts", source, templateChanges(source));
    expect(mutants.map(({ change }) => change)).toEqual([
      "a = ${b < c ? 1 : 2} AND → nothing",
      "= → <>",
      "AND d → nothing",
    ]);
  });
});

test("the source is changed where StrykerJS says, but for its texts", async () => {
  const source = 'export const f = (a: number): string => {\n  return a < 2 ? "b" : "c";\n};\n';
  const mutants = mutantsOf("room", "file.ts", source, await sourceChanges("file.ts", source));
  expect(mutants.map((mutant) => applied(source, mutant).split("\n")[1])).toContain(
    '  return a <= 2 ? "b" : "c";',
  );
  expect(mutants.filter(({ mutator }) => mutator === "StringLiteral")).toEqual([]);
});

test("an id stays when lines are added before it, and is another for the same change of the same line", () => {
  const idsOf = (sql: string) => mutantsOf("room", "file.sql", sql, sqlChanges(sql)).map(({ id }) => id);
  const ids = idsOf("SELECT a = b\nSELECT a = b");
  expect(idsOf("-- a comment\n\nSELECT a = b\nSELECT a = b")).toEqual(ids);
  expect(new Set(ids).size).toBe(2);
});

test("a sample is the same for the same seed, and has no mutant twice", () => {
  const sql = "a = 1 AND b = 2 AND c = 3";
  const mutants = mutantsOf("room", "file.sql", sql, sqlChanges(sql));
  expect(sampleOf(mutants, 4, 1)).toEqual(sampleOf(mutants, 4, 1));
  expect(new Set(sampleOf(mutants, 4, 1)).size).toBe(4);
  expect(sampleOf(mutants, 4, 1)).not.toEqual(sampleOf(mutants, 4, 2));
});

test("every file of the Worker and every SQL file is in one room, with tests that exist", () => {
  const files = rooms().flatMap((room) => room.files.map((file) => [file, room.testsOf(file)] as const));
  expect(new Set(files.map(([file]) => file)).size).toBe(files.length);
  const idle = files.filter(([, tests]) => tests.length === 0).map(([file]) => file);
  expect(idle, "Add tests of this room to test/mutants/rooms.ts").toEqual([]);
});

test("a test file belongs to the project that test/vitest.config.ts runs it in", () => {
  const [, list = ""] =
    /const inNode = \[(?<list>[^\]]+)/.exec(readFileSync("test/vitest.config.ts", "utf8")) ?? [];
  const inNode = [...list.matchAll(/"(?<path>[^"]+)"/g)].map(([, path = ""]) => path.replace("**/*", "a"));
  expect(inNode.map((file) => `${file}: ${projectOf(file)}`)).toEqual(inNode.map((file) => `${file}: node`));
  expect(projectOf("test/cleanup/clean.test.ts")).toBe("worker");
});

test("every equivalent mutant has a reason, and exists", async () => {
  expect(equivalents.filter(({ reason }) => reason.length < 20)).toEqual([]);
  for (const entry of equivalents) {
    const { file, line, change } = entry;
    const text = readFileSync(file, "utf8");
    const changes = file.endsWith(".sql") ? sqlChanges(text) : await sourceChanges(file, text);
    const mutants = mutantsOf("", file, text, changes);
    const message = `${file} has no such mutant: ${line}: ${change}`;
    expect(mutants.filter((mutant) => describes(entry, mutant)).length, message).toBeGreaterThan(0);
  }
});
