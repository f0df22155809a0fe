// SQL and PL/pgSQL as tokens that know how deep they stand and what opened the block around them. No parser: it reads what
// our files hold, and says nothing about SQL that PostgreSQL refuses.

export interface Token {
  kind: "word" | "number" | "text" | "symbol";
  /** Of a word in capitals. */
  text: string;
  start: number;
  end: number;
  /** How many parentheses, brackets and CASE are open around it. What opens or closes one stands outside. */
  depth: number;
  /** The innermost block around it: BEGIN, HANDLERS (after EXCEPTION), IF, LOOP, CASE, `CASE OF` (with an operand); or none. */
  block: string;
}

const LEXEME =
  /(?<skipped>--[^\n]*|\/\*[\s\S]*?\*\/|\s+)|(?<string>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?<number>\d+(?:\.\d+)?)|(?<word>[A-Za-z_][\w$]*(?:\.[A-Za-z_]\w*)*)|(?<symbol>\$\$|:=|=>|<=|>=|<>|!=|<<|>>|\|\||::|->>|->|\.\.|[\s\S])/gy;

// After these an IF is a statement; anywhere else it is IF EXISTS or IF NOT EXISTS.
const BEFORE_A_STATEMENT = new Set([";", "BEGIN", "THEN", "ELSE", "LOOP", "$$", ">>"]);

export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  const blocks: string[] = [];
  let depth = 0;
  const lexemes = [...sql.matchAll(LEXEME)].filter(({ groups }) => groups?.["skipped"] === undefined);
  for (const [i, { index, groups, 0: raw }] of lexemes.entries()) {
    const kind = kindOf(groups ?? {});
    const text = kind === "word" ? raw.toUpperCase() : raw;
    const previous = tokens.at(-1)?.text ?? ";";
    const following = lexemes[i + 1]?.[0].toUpperCase();
    const isClosing =
      text === ")" || text === "]" || (text === "END" && (blocks.at(-1)?.startsWith("CASE") ?? false));
    if (isClosing) depth--;
    if (text === "END") blocks.pop();
    if (text === "EXCEPTION" && following === "WHEN" && blocks.at(-1) === "BEGIN") {
      blocks.splice(-1, 1, "HANDLERS");
    }
    const start = index;
    tokens.push({ kind, text, start, end: start + raw.length, depth, block: blocks.at(-1) ?? "" });
    if (text === "(" || text === "[") depth++;
    if (previous === "END") continue;
    if (text === "CASE") {
      depth++;
      blocks.push(following === "WHEN" ? "CASE" : "CASE OF");
    } else if (text === "BEGIN" || text === "LOOP" || (text === "IF" && BEFORE_A_STATEMENT.has(previous))) {
      blocks.push(text);
    }
  }
  return tokens;
}

function kindOf(groups: Record<string, string | undefined>): Token["kind"] {
  if (groups["string"] !== undefined) return "text";
  if (groups["number"] !== undefined) return "number";
  return groups["word"] === undefined ? "symbol" : "word";
}

/** The first token from `from` on, in steps of `by`, at `depth` for which `isStop` holds, or that leaves that depth. */
export function findStop(
  tokens: Token[],
  from: number,
  by: 1 | -1,
  depth: number,
  isStop: (token: Token, index: number) => boolean,
): number {
  let i = from;
  for (; i >= 0 && i < tokens.length; i += by) {
    const token = tokens[i];
    if (token === undefined || token.depth < depth) return i;
    if (token.depth === depth && isStop(token, i)) return i;
  }
  return i;
}
