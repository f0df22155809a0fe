// A change that begins again when another one came between. Pure but for the time that it waits.

// An attempt fails only when another change has succeeded, so each of a hundred simultaneous changes succeeds within this.
const MAX_ATTEMPTS = 100;
// A random delay below a limit that doubles up to this, so that the writers of one value do not collide again.
const LONGEST_DELAY_MS = 250;
const FIRST_DELAY_MS = 5;

/**
 * @param write makes one attempt on what is there: what it has written, or what another one has written meanwhile.
 * @returns undefined when another one always came first.
 */
export async function repeatedChange<Current, Written>(
  first: Current,
  write: (current: Current) => Promise<{ written: Written } | { current: Current }>,
): Promise<Written | undefined> {
  let current = first;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const outcome = await write(current);
    if ("written" in outcome) return outcome.written;
    current = outcome.current;
    await delay(Math.random() * Math.min(FIRST_DELAY_MS * 2 ** attempt, LONGEST_DELAY_MS));
  }
  return undefined;
}

const delay = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
