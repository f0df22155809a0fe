// How the times under a chart are written.
import { expect, test } from "vitest";
import { DAY_SECONDS, HOUR_SECONDS, labelsOf, slotOf, spanOf } from "../../src/page/time-axis.ts";

/** So many bars, the first one at this time. */
const labels = (from: string, count: number, barSeconds: number) =>
  labelsOf(
    Array.from({ length: count }, (_, i) => new Date(Date.parse(from) + i * barSeconds * 1000)),
    barSeconds,
  );
/** The labels that are shown, with their places. */
const shown = (...bars: Parameters<typeof labels>) =>
  labels(...bars).flatMap((label, i) => (label === undefined ? [] : [[i, label]]));

test("a day has 86,400 seconds", () => {
  expect([HOUR_SECONDS, DAY_SECONDS]).toEqual([3600, 86_400]);
});

test.each([
  [3600, "an hour"],
  [7200, "2 hours"],
  [21_600, "6 hours"],
  [86_400, "a day"],
  [172_800, "48 hours"],
])("%d seconds are %s", (seconds, words) => {
  expect(spanOf(seconds)).toBe(words);
});

test("a bar of a day is of its date, and another one of its hours", () => {
  const midnight = new Date("2026-11-26T00:00:00Z");
  expect(slotOf(midnight, 86_400)).toBe("26 Nov");
  expect(slotOf(midnight, 3600)).toBe("26 Nov 00:00 to 01:00");
  expect(slotOf(new Date("2026-11-26T18:00:00Z"), 21_600)).toBe("26 Nov 18:00 to 00:00");
});

test.each([
  [1, ["05:00"]],
  [6, ["05:00", "06:00", "07:00", "08:00", "09:00", "10:00"]],
  // From seven bars on there is one label for two of them.
  [7, [undefined, "06:00", undefined, "08:00", undefined, "10:00", undefined]],
])("%d bars of an hour have a label each while there is room", (count, expected) => {
  expect(labels("2026-11-26T05:00:00Z", count, 3600)).toEqual(expected);
});

test.each([
  [12, 2],
  [13, 3],
  [18, 3],
  [19, 6],
  [36, 6],
  [37, 12],
  [72, 12],
  [73, 24],
  [144, 24],
  [145, 48],
  [288, 48],
  [289, 120],
  [720, 120],
  [721, 168],
  [1008, 168],
])("%d hours have a label every %d hours", (count, step) => {
  // A Thursday, the first day of 1970: every step begins with it.
  const places = shown("1970-01-01T00:00:00Z", count, 3600).map(([place]) => place);
  expect(places).toEqual(Array.from({ length: Math.ceil(count / step) }, (_, i) => i * step));
});

test("more than six weeks have the first label alone", () => {
  expect(shown("2026-11-26T05:00:00Z", 1009, 3600)).toEqual([[0, "05:00"]]);
});

test("the date stands at midnight, and the hour elsewhere", () => {
  expect(shown("2026-11-25T20:00:00Z", 7, 3600)).toEqual([
    [0, "20:00"],
    [2, "22:00"],
    [4, "26 Nov"],
    [6, "02:00"],
  ]);
  expect(labels("2026-11-25T00:00:00Z", 3, 86_400)).toEqual(["25 Nov", "26 Nov", "27 Nov"]);
  expect(labels("2026-11-25T18:00:00Z", 2, 21_600)).toEqual(["18:00", "26 Nov"]);
});

test("a step is no shorter than a bar, and its label stands at the bar in which it begins", () => {
  expect(labels("2026-11-26T00:00:00Z", 3, 4 * 3600)).toEqual(["26 Nov", undefined, "08:00"]);
});
