// Mutants of conditions: an operand taken out, a condition that always or never holds, a comparison turned.
import type { Change } from "../mutant.ts";
import { findStop, type Token } from "./tokens.ts";

const CLAUSES = new Set(
  "WHERE THEN LOOP LIMIT OFFSET ORDER GROUP HAVING RETURNING FOR UNION WHEN ELSE ELSIF IF WHILE FROM ON USING INTO SET VALUES AS SELECT JOIN LEFT RETURN DO FILTER DEFAULT CHECK BEGIN END".split(
    " ",
  ),
);
const SEPARATORS = new Set([";", ",", ":=", "=>", "$$"]);

const TURNED: Record<string, string> = {
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
  "=": "<>",
  "<>": "=",
};

const isJunction = ({ text }: Token) => text === "AND" || text === "OR";

/** Ends an operand, or what stands between two junctions. */
function isEdge(tokens: Token[]): (token: Token, index: number) => boolean {
  return (token, index) =>
    isJunction(token) ||
    SEPARATORS.has(token.text) ||
    (token.kind === "word" &&
      CLAUSES.has(token.text) &&
      // IS DISTINCT FROM is one operator.
      !(token.text === "FROM" && tokens[index - 1]?.text === "DISTINCT"));
}

export function conditionChanges(tokens: Token[]): Change[] {
  return tokens.flatMap((token, i) => [
    ...operands(tokens, token, i),
    ...wholes(tokens, token, i),
    ...comparisons(tokens, token, i),
    ...negations(tokens, token, i),
    ...listed(tokens, token, i),
  ]);
}

/** AND x, OR x, and the first of a chain, taken out. */
function operands(tokens: Token[], token: Token, i: number): Change[] {
  if (!isJunction(token) || isEventList(tokens, i)) return [];
  const edge = isEdge(tokens);
  const after = findStop(tokens, i + 1, 1, token.depth, edge);
  const before = findStop(tokens, i - 1, -1, token.depth, edge);
  const end = tokens[after - 1]?.end ?? token.end;
  const changes: Change[] = [{ mutator: "operand", start: token.start, end, replacement: "" }];
  const previous = tokens[before];
  const isFirst = previous === undefined || previous.depth < token.depth || !isJunction(previous);
  const first = tokens[before + 1];
  const second = tokens[i + 1];
  if (isFirst && first !== undefined && second !== undefined) {
    changes.push({ mutator: "operand", start: first.start, end: second.start, replacement: "" });
  }
  return changes;
}

/** INSERT OR UPDATE of a trigger, CREATE OR REPLACE. */
const isEventList = (tokens: Token[], i: number) =>
  ["INSERT", "DELETE", "UPDATE", "CREATE"].includes(tokens[i - 1]?.text ?? "");

/** A condition that always holds, or never. */
function wholes(tokens: Token[], token: Token, i: number): Change[] {
  const first = tokens[i + 1];
  if (token.kind !== "word" || first === undefined) return [];
  const previous = tokens[i - 1]?.text ?? ";";
  const until = (stop: string[]) =>
    findStop(tokens, i + 1, 1, token.depth, ({ text }) => stop.includes(text)) - 1;
  const replaced = (last: number, ...replacements: string[]): Change[] =>
    replacements.map((replacement) => ({
      mutator: "branch",
      start: first.start,
      end: tokens[last]?.end ?? first.end,
      replacement,
    }));
  switch (token.text) {
    case "WHERE":
    case "HAVING": {
      const edge = isEdge(tokens);
      const end = findStop(tokens, i + 1, 1, token.depth, edge);
      const next = tokens[end];
      if (next !== undefined && next.depth === token.depth && isJunction(next)) return [];
      return replaced(end - 1, "true").map((change) => ({ ...change, mutator: "operand" }));
    }
    case "IF":
    case "ELSIF":
      if (token.text === "IF" && (previous === "END" || !isStatement(tokens, i))) return [];
      return replaced(until(["THEN"]), "true", "false");
    case "WHILE":
      return replaced(until(["LOOP"]), "false");
    case "WHEN":
      if (previous === "EXIT" || previous === "CONTINUE") return replaced(until([";"]), "true", "false");
      // A condition that no statement raises.
      if (token.block === "HANDLERS") return replaced(until(["THEN"]), "SQLSTATE 'ZZ999'");
      if (token.block === "CASE") return replaced(until(["THEN"]), "true", "false");
      return [];
    default:
      return [];
  }
}

/** IF EXISTS and IF NOT EXISTS of a definition are none. */
const isStatement = (tokens: Token[], i: number) =>
  findStop(tokens, i + 1, 1, tokens[i]?.depth ?? 0, ({ text }) => text === "THEN" || text === ";") <
    tokens.length && [";", "BEGIN", "THEN", "ELSE", "LOOP", "$$", ">>"].includes(tokens[i - 1]?.text ?? ";");

function comparisons(tokens: Token[], token: Token, i: number): Change[] {
  const turned = TURNED[token.text];
  if (turned === undefined || (token.text === "=" && isAssignment(tokens, token, i))) return [];
  return [{ mutator: "comparison", start: token.start, end: token.end, replacement: turned }];
}

function isAssignment(tokens: Token[], { depth }: Token, i: number): boolean {
  const clause = findStop(tokens, i - 1, -1, depth, ({ kind, text }) => {
    if (text === ";" || text === "DIAGNOSTICS") return true;
    return kind === "word" && CLAUSES.has(text);
  });
  const found = tokens[clause];
  if (found === undefined) return false;
  // SET (fillfactor = 90), WITH (fillfactor = 50)
  if (found.depth < depth) return ["SET", "WITH"].includes(tokens[clause - 1]?.text ?? "");
  return found.text === "SET" || found.text === "DIAGNOSTICS";
}

/** NOT, IS NULL, IS TRUE, IS DISTINCT FROM. */
function negations(tokens: Token[], token: Token, i: number): Change[] {
  const texts = tokens.slice(i, i + 4).map(({ text }) => text);
  const spanning = (count: number, replacement: string): Change[] => [
    { mutator: "negation", start: token.start, end: tokens[i + count - 1]?.end ?? token.end, replacement },
  ];
  const [, second = "", third = "", fourth = ""] = texts;
  if (token.text === "IS" && second === "NOT") {
    if (third === "NULL") return spanning(3, "IS NULL");
    if (third === "TRUE") return spanning(3, "IS FALSE");
    if (third === "DISTINCT" && fourth === "FROM") return spanning(4, "IS DISTINCT FROM");
  }
  if (token.text === "IS") {
    if (second === "NULL") return spanning(2, "IS NOT NULL");
    if (second === "TRUE") return spanning(2, "IS NOT FALSE");
    if (second === "DISTINCT" && third === "FROM") return spanning(3, "IS NOT DISTINCT FROM");
  }
  const previous = tokens[i - 1]?.text ?? "";
  const isOfDefinition = previous === "IF" && !isStatement(tokens, i - 1);
  if (token.text !== "NOT" || previous === "IS" || second === "NULL" || isOfDefinition) return [];
  return [
    { mutator: "negation", start: token.start, end: tokens[i + 1]?.start ?? token.end, replacement: "" },
  ];
}

/** IN ('a', 'b') without 'a', and without 'b'. */
function listed(tokens: Token[], token: Token, i: number): Change[] {
  if (token.text !== "IN" || tokens[i + 1]?.text !== "(") return [];
  const close = findStop(tokens, i + 2, 1, token.depth + 1, () => false);
  const items = tokens.slice(i + 2, close);
  if (items.length < 3 || items.some(({ kind, text }) => kind !== "text" && text !== ",")) return [];
  return items.flatMap((item, k) => {
    if (item.kind !== "text") return [];
    const [start, end] =
      k === 0 ? [item.start, items[2]?.start ?? item.end] : [items[k - 1]?.start ?? item.start, item.end];
    return [{ mutator: "list", start, end, replacement: "" }];
  });
}
