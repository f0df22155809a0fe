// The points of a history as bars.
import { expect, test } from "vitest";
import { barsOf, isKnown } from "../../src/page/history-bars.ts";
import type { History, HistoryPoint } from "../../src/page/history-store.ts";
import { labelsOf, slotOf, spanOf } from "../../src/page/time-axis.ts";

const HOUR = 3600;
const at = (hour: number) => `2026-11-25T${String(hour).padStart(2, "0")}:00:00.000Z`;

const pointAt = (hour: number, changes: Partial<HistoryPoint> = {}): HistoryPoint => ({
  from: at(hour),
  opened: 5,
  ended: 4,
  expired: 3,
  deleted: 2,
  runs: 6,
  runsFailed: 0,
  runsDeleted: 1,
  longestRunMs: null,
  ...changes,
});

const history: History = {
  points: [pointAt(5), pointAt(6), pointAt(7, { runsFailed: 2 }), pointAt(8)],
  since: at(6),
  expiredUntil: at(7),
  takenAt: "2026-11-25T08:20:00.000Z",
};

test("a point is known when counting began before its end", () => {
  const since = (hour: number | null) => ({ since: hour === null ? null : at(hour) });
  expect(isKnown(since(6), pointAt(6), HOUR)).toBe(true);
  expect(isKnown({ since: "2026-11-25T06:59:59.999Z" }, pointAt(6), HOUR)).toBe(true);
  expect(isKnown(since(7), pointAt(6), HOUR)).toBe(false);
  expect(isKnown(since(5), pointAt(6), HOUR)).toBe(true);
  expect(isKnown(since(null), pointAt(6), HOUR)).toBe(false);
});

test("what is not known has no bar; nothing has a bar of 0", () => {
  expect(barsOf(history, "opened", HOUR).map(({ value }) => value)).toEqual([null, 5, 5, 5]);
  expect(barsOf(history, "longestRunMs", HOUR).map(({ value }) => value)).toEqual([null, 0, 0, 0]);
  expect(barsOf(history, "opened", HOUR)[0]?.from).toEqual(new Date(at(5)));
});

test("the last bar's time is not over", () => {
  expect(barsOf(history, "opened", HOUR).map(({ isOpen }) => isOpen)).toEqual([false, false, false, true]);
});

test("what has expired is complete up to the last cleanup run; without one, up to now", () => {
  const open = (changes: Partial<History>) =>
    barsOf({ ...history, ...changes }, "expired", HOUR).map(({ isOpen }) => isOpen);
  expect(open({})).toEqual([false, false, true, true]);
  expect(open({ expiredUntil: "2026-11-25T06:59:59.999Z" })).toEqual([false, true, true, true]);
  expect(open({ expiredUntil: null })).toEqual([false, false, false, true]);
});

test("a cross stands where runs have failed, on the charts of runs alone", () => {
  expect(barsOf(history, "runs", HOUR, true).map(({ alarm }) => alarm)).toEqual([
    undefined,
    undefined,
    "2 of 6 runs failed",
    undefined,
  ]);
  expect(barsOf(history, "opened", HOUR).map(({ alarm }) => alarm)).toEqual(Array(4).fill(undefined));
});

test("a span and a slot are in words", () => {
  expect([HOUR, 6 * HOUR, 24 * HOUR].map(spanOf)).toEqual(["an hour", "6 hours", "a day"]);
  const from = new Date("2026-11-25T23:00:00Z");
  expect(slotOf(from, HOUR)).toBe("25 Nov 23:00 to 00:00");
  expect(slotOf(from, 24 * HOUR)).toBe("25 Nov");
});

const labels = (count: number, hours: number, first = "2026-11-25T00:00:00Z") =>
  labelsOf(
    Array.from({ length: count }, (_, i) => new Date(Date.parse(first) + i * hours * HOUR * 1000)),
    hours * HOUR,
  );

test("labels are at round hours, and the date at midnight", () => {
  expect(labels(3, 1)).toEqual(["25 Nov", "01:00", "02:00"]);
  expect(labels(6, 1, "2026-11-25T21:00:00Z")).toEqual([
    "21:00",
    "22:00",
    "23:00",
    "26 Nov",
    "01:00",
    "02:00",
  ]);
  // Seven are too many for every hour.
  expect(labels(7, 1)).toEqual(["25 Nov", undefined, "02:00", undefined, "04:00", undefined, "06:00"]);
  expect(labels(24, 1).flatMap((label) => label ?? [])).toEqual(["25 Nov", "06:00", "12:00", "18:00"]);
});

test("bars of six hours and of days have labels of days", () => {
  expect(labels(28, 6).filter((label) => label !== undefined)).toHaveLength(4);
  expect(labels(28, 6).flatMap((label) => label ?? [])).not.toContainEqual(expect.stringContaining(":"));
  const days = labels(30, 24).flatMap((label) => label ?? []);
  expect(days.length).toBeGreaterThan(1);
  expect(days.length).toBeLessThanOrEqual(6);
});

test("so many bars that no step fits have the first label alone", () => {
  expect(labels(1000, 24).flatMap((label) => label ?? [])).toEqual(["25 Nov"]);
});
