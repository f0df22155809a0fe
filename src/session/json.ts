// Which values the session's document can keep exactly as they were given. Pure.

// A deeper value is a mistake, and costs a parser its stack.
const MAX_DEPTH = 200;

/** How many bytes a text has in UTF-8. */
export function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

/**
 * Whether the JSON of a value is longer than this for certain. It looks at so much of the value only, so it costs little
 * whatever the value is. What it takes for short enough may still be too long.
 */
export function isLongerThan(maxBytes: number, value: unknown): boolean {
  let left = maxBytes;
  const fits = (item: unknown, depth: number): boolean => {
    // A value has a byte at least; a text has quotes, and a byte for each character at least.
    left -= typeof item === "string" ? item.length + 2 : 1;
    if (left < 0) return false;
    if (typeof item !== "object" || item === null || depth > MAX_DEPTH) return true;
    if (Array.isArray(item)) return item.length <= left && item.every((member) => fits(member, depth + 1));
    const names = Object.keys(item);
    if (names.length > left) return false;
    return Object.entries(item).every(([name, member]) => fits(name, depth) && fits(member, depth + 1));
  };
  return !fits(value, 1);
}

/**
 * Why JSON, or PostgreSQL's jsonb, would not give a value back as it was; undefined when it would.
 * The answer has a path, such as `value.items[3] is NaN`.
 */
export function storabilityProblem(value: unknown): string | undefined {
  const problem = problemOf(value, new Set());
  if (problem === undefined) return undefined;
  const { path, isOfKey = false, says } = problem;
  return `${isOfKey ? "a key of " : ""}value${path} ${says}`;
}

interface Problem {
  /** From the value that was looked at. */
  path: string;
  /** Whether it is a key of what is at the path that has the problem. */
  isOfKey?: boolean;
  says: string;
}

const here = (says: string): Problem => ({ path: "", says });

function problemOf(value: unknown, parents: Set<object>): Problem | undefined {
  if (value === null || typeof value === "boolean") return undefined;
  if (typeof value === "string") return textProblem(value);
  if (typeof value === "number") return numberProblem(value);
  if (value === undefined) return here("is undefined");
  if (typeof value !== "object") return here(`is a ${typeof value}`);
  if (parents.has(value)) return here("contains itself");
  if (parents.size >= MAX_DEPTH) return here(`is nested more than ${MAX_DEPTH} levels deep`);
  parents.add(value);
  const problem = Array.isArray(value) ? arrayProblem(value, parents) : objectProblem(value, parents);
  parents.delete(value);
  return problem;
}

function textProblem(value: string): Problem | undefined {
  if (value.includes("\0")) return here("contains a NUL character");
  if (!value.isWellFormed()) return here("contains an unpaired surrogate");
  return undefined;
}

function numberProblem(value: number): Problem | undefined {
  if (!Number.isFinite(value)) return here(`is ${value}`);
  if (Object.is(value, -0)) return here("is -0");
  // Such a number may already be another than the one that was written down (RFC 8259 §6).
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    return here("is a whole number beyond 2^53: keep it as text");
  return undefined;
}

function arrayProblem(value: readonly unknown[], parents: Set<object>): Problem | undefined {
  if (Object.keys(value).length !== value.length) return here("is an array with holes or names");
  for (const [i, item] of value.entries()) {
    const problem = problemOf(item, parents);
    if (problem !== undefined) return { ...problem, path: `[${i}]${problem.path}` };
  }
  return undefined;
}

function objectProblem(value: object, parents: Set<object>): Problem | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return here("is not a plain object");
  if (Object.getOwnPropertySymbols(value).length > 0) return here("has a symbol as a key");
  for (const [key, item] of Object.entries(value)) {
    const ofKey = textProblem(key);
    if (ofKey !== undefined) return { ...ofKey, isOfKey: true };
    const problem = problemOf(item, parents);
    if (problem !== undefined) return { ...problem, path: `.${key}${problem.path}` };
  }
  return undefined;
}
