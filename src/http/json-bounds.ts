// How deep the JSON of a body may be, how many values and messages it may have, and how long `initialize` may be. All of it is
// looked for in the bytes, so that neither a decoder nor a parser nor a validator spends work on a body that is refused. Pure.
import { AppError } from "./errors.ts";

/** How deep a body may be nested. Its outermost array or object is the first level. */
export const BODY_DEPTH = 200;

/** How many messages a batch may have. */
export const BATCH_MESSAGES = 20;

// A table of a thousand rows with ten columns by name has 21,000. A model writes fewer, and a validator takes 1 µs for each.
/** The default of MCP_BODY_MAX_VALUES. */
export const BODY_VALUES = 25_000;

// White space, escapes and members that nobody reads make a text longer than what is kept of it.
const BYTES_PER_DATA = 4;

/** What a body may have. */
export interface BodyBounds {
  /** Values, and names of members, on all levels. */
  maxValues: number;
  /** Of the client's data in `initialize`. The bytes of `initialize` may be four times as many. */
  clientDataMaxBytes: number;
}

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
// A bracket and its brace differ in this bit.
const BRACE_BIT = 0x20;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

// Other decoders put U+FFFD in place of what is none: an id would be sent back as another.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
const METHOD = new TextEncoder().encode("method");
const INITIALIZE = new TextEncoder().encode("initialize");

/**
 * The JSON of a body, and its text. A byte order mark counts for nothing.
 * @throws AppError for bytes that are not JSON in UTF-8 (RFC 8259 §8.1), or are beyond a bound.
 */
export function parseBody(bytes: Uint8Array, bounds: BodyBounds): { body: unknown; text: string } {
  checkBounds(bytes, bounds);
  const text = textOf(bytes);
  try {
    return { body: JSON.parse(text), text };
  } catch {
    throw new AppError("parse_error");
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new AppError("parse_error", "The body is not in UTF-8");
  }
}

/**
 * Reads the bytes once, at most. Up to the first mistake in them, values are where a parser finds them.
 * @throws AppError `invalid_request` at the first byte that is beyond a bound; `parse_error` for some of what is no JSON, so
 *   that the reading ends.
 */
function checkBounds(bytes: Uint8Array, { maxValues, clientDataMaxBytes }: BodyBounds): void {
  const { length } = bytes;
  const isTooLongForInitialize = length > clientDataMaxBytes * BYTES_PER_DATA;
  let depth = 0;
  let values = 0;
  let separators = 0;
  let messages = 1;
  // The level of the members of a message.
  let messageDepth = 1;
  // Of the member of a message that is being read.
  let isMethod = false;
  let isValue = false;
  for (let i = startOf(bytes); i < length; i++) {
    const byte = byteAt(bytes, i);
    const brace = byte | BRACE_BIT;
    if (byte <= SPACE) {
      i = lastOfSpace(bytes, i);
      continue;
    }
    if (byte === COMMA || byte === COLON) {
      // Each stands before a value, and after another.
      separators += 1;
      if (separators > values) throw new AppError("parse_error");
      isValue = byte === COLON;
      if (byte === COMMA && depth === 1 && messageDepth === 2 && ++messages > BATCH_MESSAGES)
        throw refusal(`A batch has at most ${BATCH_MESSAGES} messages`);
      continue;
    }
    if (brace === CLOSE_BRACE) {
      depth -= 1;
      if (depth < 0) throw new AppError("parse_error");
      continue;
    }
    if (values === maxValues)
      throw refusal(`The body must have ${maxValues} values at most, names of members among them`);
    values += 1;
    if (byte === QUOTE) {
      const end = endOfString(bytes, i + 1);
      if (isTooLongForInitialize && depth === messageDepth) {
        if (!isValue) isMethod = says(bytes, i + 1, end, METHOD);
        else if (isMethod && says(bytes, i + 1, end, INITIALIZE))
          throw refusal("The body of initialize is too long");
      }
      i = end;
    } else if (brace === OPEN_BRACE) {
      if (values === 1) messageDepth = byte === OPEN_BRACKET ? 2 : 1;
      depth += 1;
      if (depth > BODY_DEPTH) throw refusal(`The body must be nested ${BODY_DEPTH} levels deep at most`);
    } else {
      i = lastOfWord(bytes, i);
    }
  }
}

const refusal = (message: string) => new AppError("invalid_request", message);

// Beyond the end there is nothing, which is no byte that is looked for.
const byteAt = (bytes: Uint8Array, i: number): number => bytes[i] ?? 0;

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

const startOf = (bytes: Uint8Array): number =>
  BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte) ? BYTE_ORDER_MARK.length : 0;

function lastOfSpace(bytes: Uint8Array, start: number): number {
  const { length } = bytes;
  let i = start + 1;
  while (i < length && byteAt(bytes, i) <= SPACE) i += 1;
  return i - 1;
}

/** Where a number, `true`, `false` or `null` ends, or what stands in its place. */
function lastOfWord(bytes: Uint8Array, start: number): number {
  const { length } = bytes;
  let i = start + 1;
  for (; i < length; i++) {
    const byte = byteAt(bytes, i);
    const brace = byte | BRACE_BIT;
    if (byte <= SPACE || byte === COMMA || byte === COLON || byte === QUOTE) break;
    if (brace === OPEN_BRACE || brace === CLOSE_BRACE) break;
  }
  return i - 1;
}

/** Where the string ends whose content begins at `start`: at its closing quote, or after the bytes. */
function endOfString(bytes: Uint8Array, start: number): number {
  const { length } = bytes;
  for (let i = start; i < length; i++) {
    const byte = byteAt(bytes, i);
    if (byte === QUOTE) return i;
    // What it escapes is no quote that closes.
    if (byte === BACKSLASH) i += 1;
  }
  return length;
}

const ESCAPE_LENGTH = String.raw`\u0000`.length;

/** Whether the content of a string is a word of ASCII letters, each of which may be an escape. */
function says(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  let i = start;
  for (const letter of word) {
    if (byteAt(bytes, i) === letter) i += 1;
    else if (escapedAt(bytes, i) === letter) i += ESCAPE_LENGTH;
    else return false;
  }
  return i === end;
}

/** The code unit that is escaped as `\u` and four hex digits; undefined where there is no such escape. */
function escapedAt(bytes: Uint8Array, i: number): number | undefined {
  if (byteAt(bytes, i) !== BACKSLASH) return undefined;
  const written = String.fromCharCode(...bytes.subarray(i + 1, i + ESCAPE_LENGTH));
  return /u[0-9a-f]{4}/i.test(written) ? Number.parseInt(written.slice(1), 16) : undefined;
}
