// Mutants of what is no condition: locks, rights, numbers, whole statements, and what tables and triggers are defined with.
import type { Change } from "../mutant.ts";
import { findStop, type Token } from "./tokens.ts";

const STATEMENTS = new Set([";", "BEGIN", "THEN", "ELSE", "LOOP", "$$", ">>"]);

export function clauseChanges(tokens: Token[]): Change[] {
  return tokens.flatMap((token, i) => [
    ...locks(tokens, token, i),
    ...rights(tokens, token, i),
    ...calls(tokens, token, i),
    ...numbers(tokens, token, i),
    ...definitions(tokens, token, i),
    ...triggers(tokens, token, i),
  ]);
}

const textsFrom = (tokens: Token[], i: number, count: number) =>
  tokens
    .slice(i, i + count)
    .map(({ text }) => text)
    .join(" ");

/** From one token to another, both included. */
const span = (mutator: string, tokens: Token[], from: number, to: number, replacement = ""): Change => ({
  mutator,
  start: tokens[from]?.start ?? 0,
  end: tokens[to]?.end ?? 0,
  replacement,
});

/** FOR UPDATE and its like, SKIP LOCKED, ONLY. */
function locks(tokens: Token[], token: Token, i: number): Change[] {
  if (token.text === "SKIP" && tokens[i + 1]?.text === "LOCKED") return [span("lock", tokens, i, i + 1)];
  if (token.text === "ONLY") return [span("lock", tokens, i, i)];
  const words = ["FOR UPDATE", "FOR NO KEY UPDATE", "FOR SHARE", "FOR KEY SHARE"];
  const lock = words.find((text) => textsFrom(tokens, i, text.split(" ").length) === text);
  if (lock === undefined) return [];
  let last = i + lock.split(" ").length - 1;
  if (tokens[last + 1]?.text === "OF") last += 2;
  if (tokens[last + 1]?.text === "SKIP") last += 2;
  return [span("lock", tokens, i, last)];
}

/** The end of a statement: its semicolon. */
const endOf = (tokens: Token[], i: number) =>
  findStop(tokens, i, 1, tokens[i]?.depth ?? 0, ({ text }) => text === ";");

/** GRANT, REVOKE, SECURITY DEFINER and its search_path. */
function rights(tokens: Token[], token: Token, i: number): Change[] {
  if (token.text === "SECURITY" && tokens[i + 1]?.text === "DEFINER")
    return [span("right", tokens, i, i + 1)];
  if (textsFrom(tokens, i, 4) === "SET SEARCH_PATH FROM CURRENT") return [span("right", tokens, i, i + 3)];
  const isFirst = STATEMENTS.has(tokens[i - 1]?.text ?? ";");
  if (isFirst && (token.text === "GRANT" || token.text === "REVOKE"))
    return [span("right", tokens, i, endOf(tokens, i))];
  const isDynamic =
    token.text === "EXECUTE" &&
    isFirst &&
    tokens.slice(i, i + 4).some(({ text }) => /^'(GRANT|REVOKE) /.test(text));
  return isDynamic ? [span("right", tokens, i, endOf(tokens, i), "NULL;")] : [];
}

/** Statements that are made for their effect: PERFORM, SET CONSTRAINTS, COMMIT. */
function calls(tokens: Token[], token: Token, i: number): Change[] {
  const isCall =
    token.text === "PERFORM" || token.text === "COMMIT" || textsFrom(tokens, i, 2) === "SET CONSTRAINTS";
  if (!isCall || !STATEMENTS.has(tokens[i - 1]?.text ?? ";")) return [];
  return [span("call", tokens, i, endOf(tokens, i), "NULL;")];
}

/** n + 1, and 0; also in interval 'n unit'. */
function numbers(tokens: Token[], token: Token, i: number): Change[] {
  const previous = tokens[i - 1]?.text ?? "";
  // RETURNING 1 and SELECT 1 only say that there is a row.
  if (["RETURNING", "SELECT"].includes(previous) && [")", "FROM"].includes(tokens[i + 1]?.text ?? ""))
    return [];
  const inText = previous === "INTERVAL" ? /^'(?<number>\d+(?:\.\d+)?) /.exec(token.text) : null;
  const digits = token.kind === "number" ? token.text : inText?.groups?.["number"];
  if (digits === undefined) return [];
  const start = token.start + (inText === null ? 0 : 1);
  const at = (value: number): Change => ({
    mutator: "number",
    start,
    end: start + digits.length,
    replacement: String(value),
  });
  const value = Number(digits);
  return value === 0 ? [at(1)] : [at(value + 1), at(0)];
}

/** IF NOT EXISTS, NOT NULL, DEFAULT, CHECK, PRIMARY KEY of a table. */
function definitions(tokens: Token[], token: Token, i: number): Change[] {
  const previous = tokens[i - 1]?.text ?? ";";
  if (token.text === "IF" && !STATEMENTS.has(previous) && previous !== "END") {
    const last = tokens[i + 1]?.text === "NOT" ? i + 2 : i + 1;
    return tokens[last]?.text === "EXISTS" ? [span("repetition", tokens, i, last)] : [];
  }
  if (textsFrom(tokens, i, 2) === "NOT NULL" && previous !== "IS")
    return [span("constraint", tokens, i, i + 1)];
  if (textsFrom(tokens, i, 2) === "PRIMARY KEY" && tokens[i + 2]?.text !== "(")
    return [span("constraint", tokens, i, i + 1)];
  if (token.text === "CHECK" && tokens[i + 1]?.text === "(") {
    const close = findStop(tokens, i + 2, 1, token.depth + 1, () => false);
    return [span("constraint", tokens, i + 1, close, "(true)")];
  }
  if (token.text === "DEFAULT" && previous !== "DROP" && previous !== "BY") {
    const isCall = tokens[i + 2]?.text === "(";
    const last = isCall ? findStop(tokens, i + 3, 1, token.depth + 1, () => false) : i + 1;
    return [span("constraint", tokens, i, last)];
  }
  return [];
}

/** BEFORE and AFTER, each event, and each row or statement. */
function triggers(tokens: Token[], token: Token, i: number): Change[] {
  const isTrigger = textsFrom(tokens, 0, 4) === "CREATE OR REPLACE TRIGGER";
  if (!isTrigger) return [];
  if (token.text === "BEFORE") return [span("trigger", tokens, i, i, "AFTER")];
  if (token.text === "AFTER") return [span("trigger", tokens, i, i, "BEFORE")];
  if (token.text === "EACH")
    return [span("trigger", tokens, i + 1, i + 1, tokens[i + 1]?.text === "ROW" ? "STATEMENT" : "ROW")];
  if (token.text === "OR" && tokens[i - 1]?.text === "INSERT") {
    const on = findStop(tokens, i, 1, 0, ({ text }) => text === "ON");
    return [span("trigger", tokens, i - 1, i), span("trigger", tokens, i, on - 1)];
  }
  return [];
}
