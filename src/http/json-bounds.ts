// How deep the JSON of a body may be, how many messages it may have, and how long `initialize` may be. All of it is looked for
// in the text, so that neither a parser nor a validator spends work on a body that is refused. Pure.
import { AppError } from "./errors.ts";

/** How deep a body may be nested. Its outermost array or object is the first level. */
export const BODY_DEPTH = 200;

/** How many messages a batch may have. */
export const BATCH_MESSAGES = 20;

// White space, escapes and members that nobody reads make a text longer than what is kept of it.
const TEXT_PER_DATA = 4;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
// A bracket and its brace differ in this bit.
const BRACE_BIT = 0x20;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

// `initialize` with each of its letters as an escape.
const LONGEST_NAME = "initialize".length * String.raw`\u0000`.length;

/**
 * The JSON of a body.
 * @param clientDataMaxBytes of the client's data in `initialize`. The text of `initialize` may be four times as long.
 * @throws AppError for a text that is not JSON, or beyond a bound.
 */
export function parseBody(text: string, clientDataMaxBytes: number): unknown {
  checkText(text, text.length > clientDataMaxBytes * TEXT_PER_DATA);
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError("parse_error");
  }
}

/** Reads the text once. Up to the first mistake in it, brackets and strings are where a parser finds them. */
function checkText(text: string, isTooLongForInitialize: boolean): void {
  const isBatch = /^[\t\n\r ]*\[/.test(text);
  const messageDepth = isBatch ? 2 : 1;
  let depth = 0;
  let messages = 1;
  // Of the member of a message that is being read.
  let name = "";
  let isValue = false;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    const brace = character | BRACE_BIT;
    if (character === QUOTE) {
      const end = endOfString(text, i);
      if (isTooLongForInitialize && depth === messageDepth) {
        const content = nameOf(text, i, end);
        if (!isValue) name = content;
        else if (name === "method" && content === "initialize")
          throw refusal("The body of initialize is too long");
      }
      i = end;
    } else if (brace === OPEN_BRACE) {
      depth += 1;
      if (depth === messageDepth) isValue = false;
      if (depth <= messageDepth) continue;
      // What is in a member of a message.
      i = endOfValue(text, i, BODY_DEPTH - depth);
      depth -= 1;
    } else if (brace === CLOSE_BRACE) {
      depth -= 1;
    } else if (character === COLON) {
      if (depth === messageDepth) isValue = true;
    } else if (character === COMMA) {
      if (depth === messageDepth) isValue = false;
      if (isBatch && depth === 1 && ++messages > BATCH_MESSAGES)
        throw refusal(`A batch has at most ${BATCH_MESSAGES} messages`);
    }
  }
}

const refusal = (message: string) => new AppError("invalid_request", message);

/**
 * Where the array or object ends that begins at `start`, or the text.
 * @param levels how much deeper it may be than its own level.
 */
function endOfValue(text: string, start: number, levels: number): number {
  const { length } = text;
  let depth = 0;
  let i = start + 1;
  for (; i < length; i++) {
    const character = text.charCodeAt(i);
    const brace = character | BRACE_BIT;
    if (character === QUOTE) i = endOfString(text, i);
    else if (brace === OPEN_BRACE) {
      depth += 1;
      if (depth > levels) throw refusal(`The body must be nested ${BODY_DEPTH} levels deep at most`);
    } else if (brace === CLOSE_BRACE) {
      if (depth === 0) return i;
      depth -= 1;
    }
  }
  return i;
}

// A search has a cost of its own, which pays for what is longer.
const SHORT = 64;

/** Where the string ends that begins at a quote: at its closing quote, or after the text. */
function endOfString(text: string, start: number): number {
  const { length } = text;
  let i = start + 1;
  while (i < length) {
    for (const near = i + SHORT; i < near && i < length; i++) {
      const character = text.charCodeAt(i);
      if (character === QUOTE) return i;
      // What it escapes is no quote that closes.
      if (character === BACKSLASH) i += 1;
    }
    const quote = text.indexOf('"', i);
    if (quote === -1) return length;
    let backslashes = 0;
    while (quote - backslashes > i && text.charCodeAt(quote - 1 - backslashes) === BACKSLASH)
      backslashes += 1;
    if (backslashes % 2 === 0) return quote;
    i = quote + 1;
  }
  return length;
}

/** What a string says, when it is short enough to be a name that is looked for; empty otherwise. */
function nameOf(text: string, start: number, end: number): string {
  if (end - start - 1 > LONGEST_NAME) return "";
  const content = text.slice(start + 1, end);
  if (!content.includes("\\")) return content;
  try {
    return String(JSON.parse(`"${content}"`));
  } catch {
    return ""; // The parser refuses the whole text.
  }
}
