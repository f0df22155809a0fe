// What a client takes, by its Accept header (RFC 9110 §12.5.1). The parser is Hono's. Its helper `accepts` is not used: it
// gives the default for `*/*`, whatever else the header excludes with `q=0`.
import { parseAccept } from "hono/utils/accept";

export interface Acceptance {
  /** From 0 (not at all) to 1. */
  quality: number;
  /** Whether the header names the type or its family; else it takes anything. */
  isNamed: boolean;
}

/**
 * How much a client wants a type: the most specific range that matches it says so. Parameters beside `q` do not count,
 * because no answer of ours has any that a client could choose by. Without the header, or with an empty one, a client
 * takes anything.
 */
export function acceptanceOf(accept: string | undefined, type: string): Acceptance {
  const given = parseAccept(accept ?? "").map(({ type: range, q }) => ({ range: range.toLowerCase(), q }));
  if (given.length === 0) return { quality: 1, isNamed: false };
  for (const range of [type, `${type.split("/")[0]}/*`, "*/*", "*"]) {
    const found = given.find((one) => one.range === range);
    if (found !== undefined) return { quality: found.q, isNamed: !range.startsWith("*") };
  }
  return { quality: 0, isNamed: false };
}
