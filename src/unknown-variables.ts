// Finds variables that were probably meant for us but are misspelt. Pure.
import { closestMatch } from "leven";

export interface UnknownVariable {
  name: string;
  /** The variable that was probably meant; null when none is close. */
  nearest: string | null;
}

// Other names belong to the deployment, which may have any.
const OURS = /^(?:MCP|HEALTH|LOG)_/;
// Some wrong letters, or a word too many or too few.
const MAX_DISTANCE = 8;

/** The names that look like ours and are not known, each with the nearest known one. */
export function findUnknownVariables(names: readonly string[], known: readonly string[]): UnknownVariable[] {
  return names
    .filter((name) => OURS.test(name) && !known.includes(name))
    .toSorted()
    .map((name) => ({ name, nearest: closestMatch(name, known, { maxDistance: MAX_DISTANCE }) ?? null }));
}
