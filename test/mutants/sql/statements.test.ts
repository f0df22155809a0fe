// Which statement of a routine comes by each place of it.
import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { statementsOf } from "./statements.ts";

const ROUTINE = `
CREATE FUNCTION mcp_f(p text DEFAULT now())
LANGUAGE plpgsql
AS $$
DECLARE
  declared text := CASE WHEN p THEN 1 END;
BEGIN
  <<outer>>
  FOREACH step IN ARRAY steps LOOP
    one := CASE step WHEN 'a' THEN (SELECT x FROM y) ELSE 2 END;
    IF first_condition THEN
      two := 2;
    ELSIF second_condition THEN
      three := 3;
    ELSE
      four := 4;
    END IF;
    CASE step
    WHEN 'b' THEN
      five := CASE WHEN true THEN 5 END;
    WHEN 'c' THEN
      six := 6;
    ELSE
      NULL;
    END CASE;
    BEGIN
      seven := 7;
    EXCEPTION
      WHEN lock_not_available THEN
        eight := 8;
    END;
  END LOOP outer;
  last_one := 9;
END
$$ SECURITY DEFINER;
`;

/** The first words of the statement that comes by what is looked for. */
function statementOf(wanted: string): string | undefined {
  const { starts, at } = statementsOf(ROUTINE);
  const start = starts[at(ROUTINE.indexOf(wanted))];
  return start === undefined ? undefined : /^\S+/.exec(ROUTINE.slice(start))?.[0];
}

test("each statement begins after the one before it, and where a block or a branch begins", () => {
  const { starts } = statementsOf(ROUTINE);
  expect(starts.map((start) => /^\S+/.exec(ROUTINE.slice(start))?.[0])).toEqual([
    "<<outer>>",
    ..."one IF two three four CASE five six NULL; BEGIN seven eight last_one".split(" "),
  ]);
});

test("a place belongs to the statement around it", () => {
  expect(statementOf("steps LOOP")).toBe("<<outer>>");
  expect(statementOf("FROM y")).toBe("one");
  expect(statementOf("first_condition")).toBe("IF");
  expect(statementOf("4;")).toBe("four");
  expect(statementOf("true THEN 5")).toBe("five");
  expect(statementOf("8;")).toBe("eight");
  expect(statementOf("9;")).toBe("last_one");
});

test("what is declared belongs to the first, and what stands after the body", () => {
  expect(statementOf("p THEN 1")).toBe("<<outer>>");
  expect(statementOf("DEFAULT now()")).toBe("<<outer>>");
  expect(statementOf("SECURITY DEFINER")).toBe("<<outer>>");
});

test("the condition of a later branch, and a handler, belong to what opens their block", () => {
  expect(statementOf("second_condition")).toBe("IF");
  expect(statementOf("'b'")).toBe("CASE");
  expect(statementOf("'c'")).toBe("CASE");
  expect(statementOf("lock_not_available")).toBe("BEGIN");
});

test("SQL that is no PL/pgSQL has none", () => {
  expect(
    statementsOf("CREATE FUNCTION f() LANGUAGE sql AS $$ SELECT CASE WHEN a THEN 1 END; $$").starts,
  ).toEqual([]);
});

test.each(globSync("drizzle/routines/*.sql"))("%s: each statement comes by itself", (file) => {
  const text = readFileSync(file, "utf8");
  const { starts, at } = statementsOf(text);
  expect(starts.length > 0).toBe(/LANGUAGE plpgsql/.test(text));
  expect(starts.map(at)).toEqual(starts.map((_, i) => i));
});
