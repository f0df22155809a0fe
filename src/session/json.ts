// Which values the session's document can keep exactly as they were given. Pure.

// A deeper value is a mistake, and costs a parser its stack.
const MAX_DEPTH = 200;

/**
 * Why JSON, or PostgreSQL's jsonb, would not give a value back as it was; undefined when it would.
 * The answer has a path, such as `value.items[3] is NaN`.
 */
export function storabilityProblem(value: unknown): string | undefined {
  return problemAt(value, "value", []);
}

function problemAt(value: unknown, path: string, parents: readonly object[]): string | undefined {
  if (value === null || typeof value === "boolean") return undefined;
  if (typeof value === "string") return textProblem(value, path);
  if (typeof value === "number") return numberProblem(value, path);
  if (value === undefined) return `${path} is undefined`;
  if (typeof value !== "object") return `${path} is a ${typeof value}`;
  if (parents.includes(value)) return `${path} contains itself`;
  if (parents.length >= MAX_DEPTH) return `${path} is nested more than ${MAX_DEPTH} levels deep`;
  return Array.isArray(value)
    ? arrayProblem(value, path, [...parents, value])
    : objectProblem(value, path, [...parents, value]);
}

function textProblem(value: string, path: string): string | undefined {
  if (value.includes("\0")) return `${path} contains a NUL character`;
  if (!value.isWellFormed()) return `${path} contains an unpaired surrogate`;
  return undefined;
}

function numberProblem(value: number, path: string): string | undefined {
  if (!Number.isFinite(value)) return `${path} is ${value}`;
  if (Object.is(value, -0)) return `${path} is -0`;
  // Such a number may already be another than the one that was written down (RFC 8259 §6).
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    return `${path} is a whole number beyond 2^53: keep it as text`;
  return undefined;
}

function arrayProblem(
  value: readonly unknown[],
  path: string,
  parents: readonly object[],
): string | undefined {
  if (Object.keys(value).length !== value.length) return `${path} is an array with holes or names`;
  for (const [i, item] of value.entries()) {
    const problem = problemAt(item, `${path}[${i}]`, parents);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function objectProblem(value: object, path: string, parents: readonly object[]): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return `${path} is not a plain object`;
  if (Object.getOwnPropertySymbols(value).length > 0) return `${path} has a symbol as a key`;
  for (const [key, item] of Object.entries(value)) {
    const problem = textProblem(key, `a key of ${path}`) ?? problemAt(item, `${path}.${key}`, parents);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
