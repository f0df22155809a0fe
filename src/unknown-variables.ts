// Finds variables that were probably meant for us but are misspelt. Pure.
import { closestMatch } from "leven";

export interface UnknownVariable {
  name: string;
  /** The variable that was probably meant; null when none is close. */
  nearest: string | null;
}

// Other names belong to the deployment, which may have any.
const OURS = /^(?:MCP|HEALTH|LOG)_/;
// Some wrong letters, or a word too many or too few; but half of a short name is no mistake.
const MAX_DISTANCE = 8;
const MAX_SHARE = 0.5;
// Deployments have names like these for other things, too. One or two wrong letters are a mistake all the same.
const SHARED = /^(?:OAUTH|ACCESS|AUTHORIZATION|ADMIN|SIGN)_/;
const MAX_SHARED_DISTANCE = 2;

/** The names that look like ours and are not known, each with the nearest known one. */
export function findUnknownVariables(names: readonly string[], known: readonly string[]): UnknownVariable[] {
  const nearest = (name: string, maxDistance: number) => closestMatch(name, known, { maxDistance }) ?? null;
  return names
    .filter((name) => !known.includes(name))
    .filter((name) => OURS.test(name) || (SHARED.test(name) && nearest(name, MAX_SHARED_DISTANCE) !== null))
    .toSorted()
    .map((name) => ({ name, nearest: nearest(name, Math.min(MAX_DISTANCE, name.length * MAX_SHARE)) }));
}
