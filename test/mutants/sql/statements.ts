// Where the statements of a PL/pgSQL body begin, and which one comes by a place: a mutant that no test comes by is tried with
// none.
import { tokensOf } from "./tokens.ts";

const BEFORE = new Set([";", "BEGIN", "THEN", "ELSE", "LOOP"]);
const NO_STATEMENT = new Set(["END", "ELSE", "ELSIF", "EXCEPTION", "WHEN"]);
const OPENING = new Set(["BEGIN", "IF", "LOOP", "CASE"]);
const OF_THE_BLOCK = new Set(["ELSIF", "EXCEPTION", "WHEN"]);

export interface Statements {
  /** Where each begins. None in a routine that is not of PL/pgSQL. */
  starts: number[];
  /** The statement that comes by a place: for a declaration the first one, for an ELSIF, WHEN or handler that of its block. */
  at: (place: number) => number;
}

export function statementsOf(sql: string): Statements {
  const starts: number[] = [];
  const owners: { from: number; owner: number }[] = [];
  /** CASE as an expression is one, too. `isCase`: as a statement. */
  const blocks: { owner: number; isCase: boolean }[] = [];
  let [owner, base] = [0, 0];
  const tokens = tokensOf(sql);
  for (const [i, token] of tokens.entries()) {
    const [beforeLast, previous] = [tokens[i - 2], tokens[i - 1]];
    const { text, depth, start } = token;
    // A CASE is closed outside of itself.
    if (text === "END" && depth === base - 1 && blocks.at(-1)?.isCase === true) base -= 1;
    if (depth === base) {
      const isEndLoop = previous?.text === "LOOP" && beforeLast?.text === "END";
      const isAfter = previous?.depth === base && BEFORE.has(previous.text) && !isEndLoop;
      const isFirst = blocks.length > 0 && isAfter;
      const isStatement = isFirst && !NO_STATEMENT.has(text);
      if (isStatement) owner = starts.push(start) - 1;
      if (text === "END") owner = blocks.pop()?.owner ?? 0;
      else if (OF_THE_BLOCK.has(text)) owner = blocks.at(-1)?.owner ?? 0;
      const isCase = isStatement && text === "CASE";
      const isOpening = OPENING.has(text) && (text !== "IF" || isStatement);
      if (isOpening && previous?.text !== "END") blocks.push({ owner, isCase });
      if (isCase) base += 1;
      owners.push({ from: start, owner });
    }
  }
  return { starts, at: (place) => owners.findLast(({ from }) => from <= place)?.owner ?? 0 };
}
