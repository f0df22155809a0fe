// How the times under a chart are written, in UTC. Pure.

export const HOUR_SECONDS = 3600;
export const DAY_SECONDS = 24 * HOUR_SECONDS;

const dateOf = (time: Date) =>
  time.toLocaleDateString("en-GB", { timeZone: "UTC", day: "numeric", month: "short" });
const clock = (time: Date) => time.toISOString().slice(11, 16);

/** What fits side by side on a phone. */
const MOST_LABELS = 6;
const STEPS_SECONDS = [1, 2, 3, 6, 12, 24, 48, 120, 168].map((hours) => hours * HOUR_SECONDS);

/** The time of one bar in words: `an hour`, `6 hours`, `a day`. */
export function spanOf(seconds: number): string {
  if (seconds === DAY_SECONDS) return "a day";
  const hours = seconds / HOUR_SECONDS;
  return hours === 1 ? "an hour" : `${hours} hours`;
}

/** Which time a bar is of: `26 Nov` of a day, else `26 Nov 05:00 to 06:00`. */
export function slotOf(from: Date, seconds: number): string {
  if (seconds === DAY_SECONDS) return dateOf(from);
  return `${dateOf(from)} ${clock(from)} to ${clock(new Date(from.getTime() + seconds * 1000))}`;
}

/** The label at the beginning of each bar: the date at midnight, else the hour; undefined where it would be too many. */
export function labelsOf(starts: readonly Date[], barSeconds: number): (string | undefined)[] {
  const step = STEPS_SECONDS.find(
    (seconds) => seconds >= barSeconds && starts.length * barSeconds <= MOST_LABELS * seconds,
  );
  return starts.map((start, i) => {
    const seconds = start.getTime() / 1000;
    // Without a step that fits: the first alone.
    if (step === undefined ? i > 0 : seconds % step >= barSeconds) return undefined;
    return seconds % DAY_SECONDS < barSeconds ? dateOf(start) : clock(start);
  });
}
