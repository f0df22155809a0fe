// The points of the history as the bars of each chart. Pure.
import type { Bar } from "./bar-chart.ts";
import type { History, HistoryPoint, HistoryWindow } from "./history-store.ts";
import { DAY_SECONDS, HOUR_SECONDS } from "./time-axis.ts";

/** How much time a point has, and so a bar. */
export const barSecondsOf: Record<HistoryWindow, number> = {
  day: HOUR_SECONDS,
  week: 6 * HOUR_SECONDS,
  month: DAY_SECONDS,
};

export type Measure = Exclude<keyof HistoryPoint, "from">;

/** Whether anything is known of the time of a point. */
export const isKnown = (
  { since }: Pick<History, "since">,
  { from }: HistoryPoint,
  barSeconds: number,
): boolean => since !== null && Date.parse(from) + barSeconds * 1000 > Date.parse(since);

/**
 * @param measure of the points. The last bar's time is not over; of `expired` neither is what the cleanup has not counted.
 * @param isOfRuns whether a cross stands where runs have failed.
 */
export function barsOf(history: History, measure: Measure, barSeconds: number, isOfRuns = false): Bar[] {
  const { points, expiredUntil } = history;
  const countedMs =
    measure === "expired" ? Date.parse(expiredUntil ?? history.takenAt) : Number.POSITIVE_INFINITY;
  return points.map((point, i) => {
    const from = new Date(point.from);
    const isOpen = i === points.length - 1 || from.getTime() + barSeconds * 1000 > countedMs;
    const value = isKnown(history, point, barSeconds) ? (point[measure] ?? 0) : null;
    const { runs, runsFailed } = point;
    const alarm = isOfRuns && runsFailed > 0 ? { alarm: `${runsFailed} of ${runs} runs failed` } : {};
    return { from, value, isOpen, ...alarm };
  });
}
